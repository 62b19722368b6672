/**
 * Fetches SQLite's static libraries for both processors from Debian, into the folder `lib`:
 *
 *     deno task libraries
 *
 * It needs `apt-get` and `dpkg-deb`, on any machine and as any user: apt's state lies in a temporary folder, and
 * nothing is installed. In place of this, put libraries of your own there.
 */

const SUITE = "bookworm";
const MIRROR = "http://deb.debian.org/debian";

/** The systems, and Debian's names of their processors and library folders. */
const TARGETS = {
  "linux-x64": { arch: "amd64", triple: "x86_64-linux-gnu" },
  "linux-arm64": { arch: "arm64", triple: "aarch64-linux-gnu" },
} as const;

/** Runs a program; throws the last line that it wrote to standard error. */
function run(command: string, args: readonly string[], cwd: string, env = {}): void {
  const { success, stderr } = new Deno.Command(command, { args: [...args], cwd, env }).outputSync();
  if (!success) {
    throw new Error(`${command}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`);
  }
}

/** Writes a configuration of apt whose state lies in a folder; returns its path. */
function configureApt(folder: string): string {
  for (const part of ["state/lists/partial", "cache/archives/partial"]) {
    Deno.mkdirSync(`${folder}/${part}`, { recursive: true });
  }
  const archs = Object.values(TARGETS).map(({ arch }) => arch);
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  Deno.writeTextFileSync(
    `${folder}/sources.list`,
    `deb [arch=${archs.join()} signed-by=${key}] ${MIRROR} ${SUITE} main\n`,
  );
  Deno.writeTextFileSync(`${folder}/status`, "");
  Deno.writeTextFileSync(
    `${folder}/apt.conf`,
    `APT::Architectures { ${archs.map((arch) => `"${arch}";`).join(" ")} };\n` +
      `Dir::State "${folder}/state"; Dir::State::status "${folder}/status"; Dir::Cache "${folder}/cache";\n` +
      `Dir::Etc::sourcelist "${folder}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n` +
      'APT::Sandbox::User "root"; Acquire::Languages "none";\n' +
      'APT::Update::Post-Invoke ""; APT::Update::Post-Invoke-Success "";\n',
  );
  return `${folder}/apt.conf`;
}

const folder = Deno.makeTempDirSync();
try {
  const env = { APT_CONFIG: configureApt(folder) };
  run("apt-get", ["-q", "update"], folder, env);
  const packages = Object.values(TARGETS).map(({ arch }) => `libsqlite3-dev:${arch}`);
  run("apt-get", ["-q", "download", ...packages], folder, env);
  for (const [target, { arch, triple }] of Object.entries(TARGETS)) {
    const { name } = [...Deno.readDirSync(folder)].find(({ name }) => name.endsWith(`_${arch}.deb`))!;
    run("dpkg-deb", ["-x", name, arch], folder);
    const to = new URL(`lib/${target}/`, import.meta.url);
    Deno.mkdirSync(to, { recursive: true });
    Deno.copyFileSync(`${folder}/${arch}/usr/lib/${triple}/libsqlite3.a`, new URL("libsqlite3.a", to));
    console.log(`lib/${target}/libsqlite3.a from ${decodeURIComponent(name)}`);
  }
} finally {
  Deno.removeSync(folder, { recursive: true });
}
