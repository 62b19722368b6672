// Ends of versions of hot modules: what they registered for it runs in their own code, on their own data.
import { assertEquals } from "@std/assert";
import { type LoadedModule, ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";

const INT = { parameters: [], result: "i32" } as const;
const PATCHABLE = ["-O2", "-g", "-ffunction-sections", "-fdata-sections", "-flive-patching=inline-clone"];

for (const which of ["first", "second"]) {
  const name = `the end of a version runs what its variable with the ${which} name of a function registered`;
  testWithCompilers(["gcc"], name, async (folder) => {
    const source = (version: number) => `
      extern int atexit(void (*)(void));
      static int *out;
      void set(int *place) { out = place; }
      void first(void) { *out += ${version}; }
      extern void second(void) __attribute__((alias("first")));
      void (*volatile with_first)(void) = first, (*volatile with_second)(void) = second;
      int registers(void) { return atexit(with_${which}); }`;
    const compile = (version: number) =>
      compiledVersion(folder, source(version), { name: "m", flags: PATCHABLE, link: { hot: true } });
    const set = { parameters: ["buffer"], result: "void" } as const;
    const old = new Int32Array(1), next = new Int32Array(1);
    await using registry = new ModuleRegistry({ keepVersions: 0 });
    const begin = (module: LoadedModule, place: Int32Array<ArrayBuffer>) => {
      module.getFunction("set", set)!(place);
      module.close();
    };
    const module = registry.loadBytes("m", await compile(1));
    assertEquals(module.getFunction("registers", INT)!(), 0);
    using _live = registry.open("m", { registers: INT });
    begin(module, old);
    begin(registry.reload("m", { bytes: await compile(2), state: "fresh" }), next);
    await new Promise((resolve) => setTimeout(resolve, 10));
    assertEquals([old[0], next[0]], [1, 0]);
  });
}
