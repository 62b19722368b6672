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

/** Compiles, links and runs a program, with the packages unpacked in a folder. Returns its failure. */
export async function runProgram(program: LibraryProgram, folder: string): Promise<Failure> {
  const object = join(folder, `${program.source}.${program.source.endsWith(".go") ? "a" : "o"}`);
  const failure = await (program.source.endsWith(".go") ? compileGo : compileC)(program, folder, object);
  if (failure !== undefined) return failure;
  const archives = program.archives.map((name) => find(program, folder, name));
  const child = await runChild(new URL("./program_child.ts", import.meta.url), {
    args: [...(program.leavesThreads ? ["--pin"] : []), object, ...archives],
    timeout: 120_000,
  });
  if (child.code === 0 && child.stdout === "check() = 42\n") return undefined;
  return `${child.signal ?? `exit status ${child.code}`}\n${child.stdout}${child.stderr}`.trim();
}

/** Compiles a C or C++ program to an object. Returns what the compiler says if it fails. */
function compileC({ source, packages }: LibraryProgram, folder: string, object: string): Promise<Failure> {
  const includes = packages.flatMap((name) => {
    const include = join(folder, name, "usr/include");
    return ["", "/luajit-2.1", "/libxml2", "/x86_64-linux-gnu"].map((end) => `-I${include}${end}`);
  });
  const [command, ...args] = source.endsWith(".cc") ? ["g++", "-std=c++17"] : ["gcc"];
  return run(command, [...args, "-O2", "-fPIC", "-c", pathOf(source), "-o", object, ...includes]);
}

/** Compiles a Go program to an archive, with the compiler in its first package. */
async function compileGo(
  { source, packages }: LibraryProgram,
  folder: string,
  archive: string,
): Promise<Failure> {
  const [go, library] = packages.map((name) => join(folder, name, "usr"));
  const version = packages[0].replace("lang", "").replace(/-go$/, "");
  const GOROOT = join(go, "lib", version);
  // Both packages are installed in one tree: the second has the sources of the standard library.
  const failure = await run("cp", ["-al", `${library}/.`, go]);
  if (failure !== undefined) return failure;
  return run(join(GOROOT, "bin/go"), ["build", "-buildmode=c-archive", "-o", archive, pathOf(source)], {
    ...{ GOROOT, GOCACHE: join(folder, "go-cache"), GOPATH: join(folder, "go-path") },
    ...{ GO111MODULE: "off", CGO_ENABLED: "1" },
  });
}

type Failure = string | undefined;

/** Runs a compiler; returns what it says if it fails. */
async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<Failure> {
  const { success, stderr } = await new Deno.Command(command, { args, env }).output();
  return success ? undefined : new TextDecoder().decode(stderr).trim();
}

/** The path of a program's source. */
function pathOf(source: string): string {
  return new URL(`./programs/${source}`, import.meta.url).pathname;
}

/** The path of an archive in one of the packages of a program. */
function find(program: LibraryProgram, folder: string, name: string): string {
  for (const directory of program.packages) {
    const path = join(folder, directory, "usr/lib/x86_64-linux-gnu", name);
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`none of ${program.packages.join(", ")} has ${name}`);
}
