// Sources of Debian's packages, for tests of real code.
import { join } from "@std/path";

/** Runs a program; throws the last line that it wrote to standard error. */
export async function run(command: string, args: string[], cwd: string, env = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd, env }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command}: ${text.decode(stderr).trim().split("\n").at(-1)}`);
  return text.decode(stdout);
}

/**
 * Downloads the archives of source packages into a folder with apt, whose state lies in the folder: the machine's
 * own stays as it is.
 *
 * @param suites Debian's releases that are asked.
 */
export async function downloadSources(
  folder: string,
  suites: readonly string[],
  packages: readonly string[],
): Promise<void> {
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
    suites.map((suite) => `deb-src ${signed} ${mirrors[0]} ${suite} main\n`).join(""),
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
  await run("apt-get", ["-q", "source", "--download-only", ...packages], folder, env);
}
