// Programs on the libraries that are installed; `deno task archives` fetches those of all programs.
import { assertEquals } from "@std/assert";
import { testWithCompilers } from "../support/compilers.ts";
import { type LibraryProgram, PROGRAMS, runProgram } from "./programs.ts";

const inSystem = () => "/";

/** Whether the system has the packages of a program. */
function hasPackages({ packages }: LibraryProgram): boolean {
  return packages.every((name) =>
    exists(`/var/lib/dpkg/info/${name}.list`) || exists(`/var/lib/dpkg/info/${name}:amd64.list`)
  );
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

for (const program of PROGRAMS) {
  const name = `${program.source} gets right results of its libraries`;
  if (hasPackages(program)) {
    const compiler = program.source.endsWith(".cc") ? "g++" : "gcc";
    testWithCompilers([compiler], name, async (folder) => {
      assertEquals(await runProgram(program, folder, inSystem), undefined);
    });
  } else {
    Deno.test({
      name: `${name} (SKIPPED: needs Debian's ${program.packages.join(", ")})`,
      ignore: true,
      fn() {},
    });
  }
}

testWithCompilers(["gcc"], "a program that does not compile says why", async (folder) => {
  const program = { source: "missing.c", packages: [], archives: [] };
  const failure = await runProgram(program, folder, inSystem);
  assertEquals(failure?.includes("missing.c: No such file or directory"), true, failure);
});
