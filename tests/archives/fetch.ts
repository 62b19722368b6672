/** Fetches Debian's packages and unpacks their static archives, without installing anything. */
import { basename, join } from "@std/path";

/** Runs a program; returns what it printed. Throws the last line that it wrote to standard error. */
async function run(command: string, args: string[], cwd?: string): Promise<string> {
  const output = await new Deno.Command(command, { args, ...(cwd === undefined ? {} : { cwd }) }).output();
  const text = new TextDecoder();
  if (!output.success) {
    throw new Error(`${command}: ${text.decode(output.stderr).trim().split("\n").at(-1)}`);
  }
  return text.decode(output.stdout);
}

/** A package and the paths of its static archives and shared libraries. */
export interface Fetched {
  readonly package: string;
  readonly archives: readonly string[];
  readonly shared: readonly string[];
}

/** Downloads packages into a folder and unpacks them there; returns the archives of each that are no links. */
export async function fetchArchives(packages: readonly string[], folder: string): Promise<Fetched[]> {
  await run("apt-get", ["download", "-q", "-o", "APT::Sandbox::User=root", ...packages], folder);
  const files = new Map<string, string>();
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.endsWith(".deb")) files.set(name.slice(0, name.indexOf("_")), join(folder, name));
  }
  const fetched: Fetched[] = [];
  for (const name of packages) {
    const file = files.get(name);
    if (file === undefined) throw new Error(`apt-get: no file of ${name}`);
    const target = join(folder, name);
    await run("dpkg-deb", ["-x", file, target]);
    Deno.removeSync(file);
    const paths =
      (await run("find", [target, "-type", "f", "(", "-name", "*.a", "-o", "-name", "*.so.*", ")"])).split(
        "\n",
      )
        .sort((a, b) => basename(a) < basename(b) ? -1 : 1);
    fetched.push({
      package: name,
      archives: paths.filter((path) => path.endsWith(".a") && !isScript(path)),
      shared: paths.filter((path) => path.includes(".so.")),
    });
  }
  return fetched;
}

/** Whether a file is a linker script, or an archive without members, in the place of an archive. */
function isScript(path: string): boolean {
  const bytes = Deno.readFileSync(path);
  return bytes.length <= 8 || !new TextDecoder().decode(bytes.subarray(0, 8)).startsWith("!<");
}
