// Functions that may be missing (--allow-undefined): what a call of one does.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { linkObjects, ModuleRegistry } from "../../../mod.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { runChild } from "../../support/modules.ts";
import { WatchedAllocator } from "../../support/watched_allocator.ts";

// `missing` is reached by a call, by its address, and in a table; `optional` is weak, and tested.
const SOURCE = `
  extern int missing(int), missing_too(int), optional(int) __attribute__((weak));
  int (*table[])(int) = { missing };
  int test(int how) {
    switch (how) {
      case 0: return optional == 0 && table[0] != 0;
      case 1: return 1 + missing(how);
      case 2: return 1 + table[0](how);
      case 3: return 1 + missing_too(how);
      default: { int (*volatile f)(int) = missing; return 1 + f(how); }
    }
  }`;

async function build(folder: string, allowUndefined: string[]): Promise<string> {
  Deno.writeTextFileSync(`${folder}/m.c`, SOURCE);
  await compile("gcc", ["-O2", "-fPIC", "-c", "m.c"], folder);
  const object = { name: "m.o", bytes: Deno.readFileSync(`${folder}/m.o`) };
  const path = `${folder}/m.smf`;
  Deno.writeFileSync(path, linkObjects([object], { allowUndefined }).bytes);
  return path;
}

const script = new URL("./missing_call_child.ts", import.meta.url);

testWithCompilers(
  ["gcc"],
  "a call of a missing function ends the process with a line that names it",
  async (folder) => {
    const path = await build(folder, ["missing*"]);
    const run = (how: number) => runChild(script, { args: [path, String(how)] });
    assertEquals((await run(0)).stdout, "1\n");
    for (const [how, name] of [[1, "missing"], [2, "missing"], [3, "missing_too"], [4, "missing"]] as const) {
      const { signal, stdout, stderr } = await run(how);
      assertEquals([signal, stdout], ["SIGABRT", ""]);
      assertStringIncludes(
        stderr,
        `Cannot call '${name}': it was undefined when module '${path}' was loaded (linked with --allow-undefined)\n`,
      );
    }
  },
);

testWithCompilers(
  ["gcc"],
  "a function that is there is called, missing ones or not, and the stubs are freed with the module",
  async (folder) => {
    const path = await build(folder, ["missing*"]);
    const provider = `${folder}/p.smf`;
    Deno.writeTextFileSync(`${folder}/p.c`, "int missing(int x) { return 40 + x; }");
    await compile("gcc", ["-O2", "-fPIC", "-c", "p.c"], folder);
    const bytes = Deno.readFileSync(`${folder}/p.o`);
    Deno.writeFileSync(provider, linkObjects([{ name: "p.o", bytes }]).bytes);
    const allocator = new WatchedAllocator();
    {
      using registry = new ModuleRegistry({ allocator });
      registry.load(provider);
      const test = registry.load(path).getFunction("test", { parameters: ["i32"], result: "i32" });
      assertEquals([test?.(1), test?.(2)], [42, 43]);
    }
    assertEquals(allocator.live.size, 0);
  },
);
