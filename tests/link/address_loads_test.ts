// Code that is made for programs, and calculates addresses of what other modules and libraries define.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { linkObjects, ModuleLoader } from "../../mod.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { assertLoadError } from "../support/testing.ts";

/** Compiles C as gcc does by default, for programs, and links it. */
async function programModule(folder: string, source: string): Promise<Uint8Array> {
  Deno.writeTextFileSync(`${folder}/p.c`, source);
  await compile("gcc", ["-O2", "-fPIE", "-c", "p.c"], folder);
  return linkObjects([{ name: "p.o", bytes: Deno.readFileSync(`${folder}/p.o`) }]).bytes;
}

testWithCompilers(
  ["gcc"],
  "code for programs has the address of a variable, however far away",
  async (folder) => {
    const bytes = await programModule(
      folder,
      `extern int given, table[8];
    int *where(void) { return &given; }
    int *element(int i) { return &table[i]; }`,
    );
    const FAR = { given: 0x1230_0000_1000n, table: 0x7_0000_2000n } as Record<string, bigint>;
    using module = new ModuleLoader().loadBytes(bytes, (name) => FAR[name]);
    const call = (name: string, ...parameters: number[]) =>
      module.getFunction(name, { parameters: parameters.map(() => "i32" as const), result: "usize" })!(
        ...parameters,
      );
    assertEquals([call("where"), call("element", 2)], [FAR.given, FAR.table + 8n]);
  },
);

testWithCompilers(
  ["gcc"],
  "a variable that is out of reach is an error with the next step",
  async (folder) => {
    const bytes = await programModule(
      folder,
      "extern int near, given; int get(void) { return near + given; }",
    );
    const far = assertLoadError(
      // The loader can place a module near one of them only.
      () =>
        new ModuleLoader().loadBytes(bytes, (name) => name === "near" ? 0x7_0000_0000n : 0x1230_0000_1000n),
      "RelocationFailed",
    );
    assert(["near", "given"].includes(far.data.symbol!));
    assertStringIncludes(far.message, "its symbol is in another module or library, out of the code's reach");
    assertEquals(
      far.hint,
      `compile with -fPIC, or link the object or archive that defines '${far.data.symbol}' too`,
    );
  },
);

testWithCompilers(["gcc"], "a variable that nobody defines is said to be missing", async (folder) => {
  for (
    const [name, hint] of [
      ["nowhere", "link its object in, or name the host library"],
      ["_ZSt4cout", "name the host library libstdc++.so.6"],
    ]
  ) {
    Deno.writeTextFileSync(`${folder}/m.c`, `extern int ${name}; int get(void) { return ${name}; }`);
    await compile("gcc", ["-O2", "-fPIE", "-c", "m.c"], folder);
    const object = { name: "m.o", bytes: Deno.readFileSync(`${folder}/m.o`) };
    const { bytes } = linkObjects([object], { allowUndefined: ["*"] });
    const missing = assertLoadError(() => new ModuleLoader().loadBytes(bytes), "RelocationFailed", {
      symbol: name,
    });
    assertStringIncludes(missing.message, "nobody defines its symbol");
    assertStringIncludes(missing.hint, hint);
  }
});
