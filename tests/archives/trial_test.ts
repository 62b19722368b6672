import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { tryArchive } from "./trial.ts";

/** Makes an archive of one C file. */
async function archiveOf(folder: string, name: string, text: string, flags = ["-fPIC"]): Promise<string> {
  Deno.writeTextFileSync(`${folder}/${name}.c`, text);
  await compile("gcc", ["-O2", ...flags, "-c", `${name}.c`], folder);
  await compile("ar", ["rc", `${name}.a`, `${name}.o`], folder);
  return `${folder}/${name}.a`;
}

testWithCompilers(
  ["gcc", "ar"],
  "an archive that links and loads says its sizes and its open names",
  async (folder) => {
    const archive = await archiveOf(folder, "good", "int other(void); int f(void) { return other(); }");
    const outcome = await tryArchive(archive, [], folder, 60_000);
    assert(outcome.linked! > 0 && outcome.shared! > outcome.linked!);
    assertEquals([outcome.loaded, outcome.open, outcome.names], [true, 1, ["other"]]);
    const other = await archiveOf(folder, "other", "int other(void) { return 1; }");
    assertEquals((await tryArchive(archive, [other], folder, 60_000)).open, 0);
  },
);

testWithCompilers(["gcc", "ar"], "an archive that the linker refuses says why", async (folder) => {
  const text = `static int x; unsigned short f(void) { __asm__(".text 1; .short x; .text 0"); return x++; }`;
  const archive = await archiveOf(folder, "fixed", text, ["-fno-pic", "-mcmodel=small"]);
  const { loaded, linked, shared, reason } = await tryArchive(archive, [], folder, 60_000);
  assertEquals([loaded, linked, shared], [false, undefined, undefined]);
  assertStringIncludes(reason!, "a module cannot hold a part of an address");
});

testWithCompilers(
  ["gcc", "ar"],
  "an archive whose initialiser crashes or hangs ends alone",
  async (folder) => {
    const before = "__attribute__((constructor)) static void start(void)";
    const crash = await archiveOf(folder, "crash", `${before} { *(volatile int *)8 = 0; } int f;`);
    const crashed = await tryArchive(crash, [], folder, 60_000);
    assertEquals([crashed.loaded, crashed.reason], [false, "died by SIGSEGV during loading"]);
    const hang = await archiveOf(folder, "hang", `${before} { for (volatile int i = 0;; i++); } int f;`);
    const hung = await tryArchive(hang, [], folder, 5_000);
    assertEquals(hung.reason, "killed during loading (limit 5 s)");
  },
);
