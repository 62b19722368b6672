/** Finds the test scripts of mold: in a folder that is named, or in the source package of Debian. */
import { join } from "@std/path";

/** Debian's releases that are asked, in this order. */
const SUITES = ["trixie", "bookworm"];

/** Runs a program; throws the last line that it wrote to standard error. */
async function run(command: string, args: string[], cwd: string, env = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd, env }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command}: ${text.decode(stderr).trim().split("\n").at(-1)}`);
  return text.decode(stdout);
}

/**
 * Returns the folder of the scripts, below `folder` if they are fetched.
 *
 * @param given A folder of mold's sources, or of the scripts themselves.
 */
export async function findScripts(folder: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return scriptsIn(given);
  await fetchSources(folder);
  return scriptsIn(join(folder, "mold"));
}

/** The folder with `common.inc`, here or in one of the places where mold's sources had it. */
function scriptsIn(folder: string): string {
  for (const place of [".", "test", "test/elf"]) {
    try {
      if (Deno.statSync(join(folder, place, "common.inc")).isFile) return join(folder, place);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`${folder} has no test scripts of mold`);
}

/** Downloads and unpacks the sources with apt, whose state lies in the folder: the machine's own stays as it is. */
async function fetchSources(folder: string): Promise<void> {
  const state = join(folder, "apt");
  for (const part of ["state/lists/partial", "cache/archives/partial"]) {
    Deno.mkdirSync(join(state, part), { recursive: true });
  }
  const asked = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)"], folder);
  const mirrors = [...new Set(asked.split("\n"))].filter((uri) => /\/debian\/?$/.test(uri));
  if (mirrors.length === 0) throw new Error("apt-get: no mirror of Debian is configured");
  const signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
  Deno.writeTextFileSync(
    join(state, "sources.list"),
    SUITES.map((suite) => `deb-src ${signed} ${mirrors[0]} ${suite} main\n`).join(""),
  );
  Deno.writeTextFileSync(join(state, "status"), "");
  Deno.writeTextFileSync(
    join(state, "apt.conf"),
    `Dir::State "${state}/state"; Dir::State::status "${state}/status"; Dir::Cache "${state}/cache";\n` +
      `Dir::Etc::sourcelist "${state}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n` +
      'APT::Sandbox::User "root"; Acquire::Languages "none";\n' +
      'APT::Update::Post-Invoke ""; APT::Update::Post-Invoke-Success "";\n',
  );
  const env = { APT_CONFIG: join(state, "apt.conf") };
  await run("apt-get", ["-q", "update"], folder, env);
  let problem: unknown;
  try {
    // Debian's own changes are not needed, so the archive of the sources is enough if only they are missing.
    await run("apt-get", ["-q", "source", "--download-only", "mold"], folder, env);
  } catch (error) {
    problem = error;
  }
  const archive = [...Deno.readDirSync(folder)].find(({ name }) => /^mold_.*\.orig\.tar\./.test(name));
  if (archive === undefined) throw problem ?? new Error("apt-get: no sources of mold");
  Deno.mkdirSync(join(folder, "mold"));
  await run("tar", ["-xf", archive.name, "-C", "mold", "--strip-components=1"], folder);
}
