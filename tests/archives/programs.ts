/** Programs that use a library of {@link file://./packages.ts} and check its results. */
import { join } from "@std/path";
import { runChild } from "../support/modules.ts";

/** A program: a source file in `programs/`, and the packages and archives that it is linked with. */
export interface LibraryProgram {
  readonly source: string;
  readonly packages: readonly string[];
  /** Names of archives, or with a slash the ends of their paths. */
  readonly archives: readonly string[];
  /** Whether threads stay in its code when its function returns, so that its memory must stay too. */
  readonly leavesThreads?: boolean;
}

/** Programs, those with small packages first. */
export const PROGRAMS: readonly LibraryProgram[] = [
  { source: "mpfr.c", packages: ["libmpfr-dev", "libgmp-dev"], archives: ["libmpfr.a", "libgmp.a"] },
  { source: "luajit.c", packages: ["libluajit-5.1-dev"], archives: ["libluajit-5.1.a"] },
  { source: "re2.cc", packages: ["libre2-dev"], archives: ["libre2.a"] },
  {
    source: "xml.c",
    packages: ["libxml2-dev", "libicu-dev", "zlib1g-dev", "liblzma-dev"],
    archives: ["libxml2.a", "libicuuc.a", "libicui18n.a", "libicudata.a", "libz.a", "liblzma.a"],
  },
  {
    // An archive that is compiled for fixed addresses.
    source: "python.c",
    packages: ["libpython3.11-dev", "libexpat1-dev", "zlib1g-dev"],
    archives: ["libpython3.11.a", "libexpat.a", "libz.a"],
  },
  {
    source: "protobuf.cc",
    packages: ["libprotobuf-dev", "zlib1g-dev"],
    archives: ["libprotobuf.a", "libz.a"],
  },
  {
    source: "rocksdb.cc",
    packages: ["librocksdb-dev", "libsnappy-dev", "zlib1g-dev", "libbz2-dev", "liblz4-dev", "libzstd-dev"],
    archives: ["librocksdb.a", "libsnappy.a", "libz.a", "libbz2.a", "liblz4.a", "libzstd.a"],
  },
  {
    source: "runtime.go",
    packages: ["golang-1.19-go", "golang-1.19-src"],
    archives: [],
    leavesThreads: true,
  },
];

/** What went wrong; undefined if nothing did. */
export type Failure = string | undefined;

/** Says where a package's files are: in a folder of its own, or in the system's root. */
export type RootOf = (name: string) => string;

/** Compiles, links and runs a program, with its objects in a folder. Returns its failure. */
export async function runProgram(program: LibraryProgram, folder: string, rootOf: RootOf): Promise<Failure> {
  const object = join(folder, `${program.source}.${program.source.endsWith(".go") ? "a" : "o"}`);
  const failure = await (program.source.endsWith(".go") ? compileGo : compileC)(program, object, rootOf);
  if (failure !== undefined) return failure;
  const archives = program.archives.map((name) => archiveOf(program, rootOf, name));
  const child = await runChild(new URL("./program_child.ts", import.meta.url), {
    args: [...(program.leavesThreads ? ["--pin"] : []), object, ...archives],
    timeout: 120_000,
  });
  if (child.code === 0 && child.stdout === "check() = 42\n") return undefined;
  return `${child.signal ?? `exit status ${child.code}`}\n${child.stdout}${child.stderr}`.trim();
}

/** Compiles a C or C++ program to an object. Returns what the compiler says if it fails. */
function compileC({ source, packages }: LibraryProgram, object: string, rootOf: RootOf): Promise<Failure> {
  const includes = packages.flatMap((name) => {
    const include = join(rootOf(name), "usr/include");
    return ["", "/luajit-2.1", "/libxml2", "/python3.11", "/x86_64-linux-gnu"].map((end) =>
      `-I${include}${end}`
    );
  });
  const [command, ...args] = source.endsWith(".cc") ? ["g++", "-std=c++17"] : ["gcc"];
  return run(command, [...args, "-O2", "-fPIC", "-c", pathOf(source), "-o", object, ...includes]);
}

/** Compiles a Go program to an archive, with the compiler in its first package. */
async function compileGo(
  { source, packages }: LibraryProgram,
  archive: string,
  rootOf: RootOf,
): Promise<Failure> {
  const [go, library] = packages.map((name) => join(rootOf(name), "usr"));
  const version = packages[0].replace("lang", "").replace(/-go$/, "");
  const GOROOT = join(go, "lib", version);
  // Both packages are installed in one tree: the second has the sources of the standard library.
  const failure = go === library ? undefined : await run("cp", ["-al", `${library}/.`, go]);
  if (failure !== undefined) return failure;
  return run(join(GOROOT, "bin/go"), ["build", "-buildmode=c-archive", "-o", archive, pathOf(source)], {
    ...{ GOROOT, GOCACHE: `${archive}.cache`, GOPATH: `${archive}.path` },
    ...{ GO111MODULE: "off", CGO_ENABLED: "1" },
  });
}

/** Runs a compiler; returns what it says if it fails. */
async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<Failure> {
  const { success, stderr } = await new Deno.Command(command, { args, env }).output();
  return success ? undefined : new TextDecoder().decode(stderr).trim();
}

/** The path of a program's source. */
function pathOf(source: string): string {
  return new URL(`./programs/${source}`, import.meta.url).pathname;
}

/** The path of an archive in one of a program's packages; throws if none has it. */
function archiveOf({ packages }: LibraryProgram, rootOf: RootOf, name: string): string {
  for (const directory of packages) {
    const path = join(rootOf(directory), "usr/lib/x86_64-linux-gnu", name);
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`none of ${packages.join(", ")} has ${name}`);
}
