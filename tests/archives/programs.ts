/** Programs that use a library of {@link file://./packages.ts} and check its results. */
import { join } from "@std/path";
import { runChild } from "../support/modules.ts";

/** A program: a source file in `programs/`, and the packages and archives that it is linked with. */
export interface LibraryProgram {
  readonly source: string;
  readonly packages: readonly string[];
  /** Names of archives, or with a slash the ends of their paths. */
  readonly archives: readonly string[];
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
];

/** Compiles, links and runs a program, with the packages unpacked in a folder. Returns its failure. */
export async function runProgram(program: LibraryProgram, folder: string): Promise<string | undefined> {
  const object = join(folder, `${program.source}.o`);
  const source = new URL(`./programs/${program.source}`, import.meta.url).pathname;
  const includes = program.packages.flatMap((name) => {
    const include = join(folder, name, "usr/include");
    return ["", "/luajit-2.1", "/libxml2", "/x86_64-linux-gnu"].map((end) => `-I${include}${end}`);
  });
  const compiler = program.source.endsWith(".cc") ? ["g++", "-std=c++17"] : ["gcc"];
  const compiled = await new Deno.Command(compiler[0], {
    args: [...compiler.slice(1), "-O2", "-fPIC", "-c", source, "-o", object, ...includes],
  }).output();
  if (!compiled.success) return new TextDecoder().decode(compiled.stderr).trim();
  const archives = program.archives.map((name) => find(program, folder, name));
  const child = await runChild(new URL("./program_child.ts", import.meta.url), {
    args: [object, ...archives],
    timeout: 120_000,
  });
  if (child.code === 0 && child.stdout === "check() = 42\n") return undefined;
  return `${child.signal ?? `exit status ${child.code}`}\n${child.stdout}${child.stderr}`.trim();
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
