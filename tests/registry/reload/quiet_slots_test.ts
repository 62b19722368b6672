// Functions that only their hot module itself calls: old code finds the right ones, whatever later versions make of them.
import { assertEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";

const FLAGS = ["-O2", "-g", "-ffunction-sections", "-fdata-sections", "-flive-patching=inline-clone"];
const INT = { parameters: [], result: "i32" } as const;

/** Compiles functions that return the version's number, in this order, and one that calls all of them. */
function compile(
  folder: string,
  names: readonly string[],
  version: number,
  exports = ["call"],
): Promise<Uint8Array<ArrayBuffer>> {
  const functions = names.map((name) =>
    `__attribute__((noinline)) int ${name}(void) { __asm__(""); return ${version}; }`
  );
  const source = `${functions.join("\n")}
    int call(void) { return ${names.map((name, index) => `${name}() * ${10 ** index}`).join(" + ")}; }`;
  return compiledVersion(folder, source, { name: "m", flags: FLAGS, link: { hot: true, exports } });
}

testWithCompilers(
  ["gcc"],
  "old code calls the newest version of each function that it uses, though others come, go and change places",
  async (folder) => {
    await using registry = new ModuleRegistry({ keepVersions: Infinity });
    using first = registry.loadBytes("m", await compile(folder, ["a", "b", "c"], 1));
    const old = first.getFunction("call", INT)!;
    const live = registry.open("m", { call: INT }).symbols;
    const both = (): number[] => [old(), live.call()];
    const reload = async (names: string[], version: number): Promise<void> =>
      registry.reload("m", { bytes: await compile(folder, names, version) }).close();
    assertEquals(both(), [111, 111]);
    await reload(["a", "b", "c"], 2);
    assertEquals(both(), [222, 222]);
    await reload(["new", "c", "a"], 3);
    assertEquals(both(), [323, 333], "'b' is gone, and its last version serves old code");
    await reload(["b", "a", "more", "c"], 4);
    assertEquals(both(), [444, 4444]);
    registry.rollback("m").close();
    assertEquals(both(), [343, 333], "'b' is gone again");
    registry.rollback("m").close();
    assertEquals(both(), [222, 222]);
    await reload(["c", "b", "a"], 5);
    assertEquals(both(), [555, 555]);
  },
);

testWithCompilers(
  ["gcc"],
  "a function that only its module called can be used by others later, and stays in use then",
  async (folder) => {
    await using registry = new ModuleRegistry({ keepVersions: Infinity });
    const exports = ["call", "a", "b"];
    using first = registry.loadBytes("m", await compile(folder, ["a", "b"], 1, exports));
    const old = first.getFunction("call", INT)!;
    using _open = registry.open("m", { call: INT });
    registry.reload("m", { bytes: await compile(folder, ["a", "b"], 2, exports) }).close();
    assertEquals(old(), 22);
    using live = registry.open("m", { b: INT });
    registry.reload("m", { bytes: await compile(folder, ["b", "a"], 3, exports) }).close();
    assertEquals([old(), live.symbols.b()], [33, 3]);
    const without = await compile(folder, ["a"], 4, ["call", "a"]);
    assertThrows(() => registry.reload("m", { bytes: without }), LoadError, "does not export 'b'");
    assertEquals([old(), live.symbols.b()], [33, 3]);
    registry.reload("m", { bytes: without, compatibility: "allow" }).close();
    assertEquals([old(), live.symbols.b()], [34, 3]);
  },
);

testWithCompilers(
  ["gcc"],
  "the addresses of functions that only their module called are those of their trampolines from then on",
  async (folder) => {
    await using registry = new ModuleRegistry({ keepVersions: Infinity });
    const exports = ["call", "a", "b"];
    using first = registry.loadBytes("m", await compile(folder, ["a", "b"], 1, exports));
    using second = registry.reload("m", { bytes: await compile(folder, ["a", "b"], 2, exports) });
    using lease = second.addressOf("a")!;
    const { address } = lease;
    using third = registry.reload("m", { bytes: await compile(folder, ["b", "a"], 3, exports) });
    using other = third.addressOf("a")!;
    assertEquals(other.address, address);
    const a = new Deno.UnsafeFnPointer(Deno.UnsafePointer.create(address)!, INT);
    assertEquals([a.call(), first.getFunction("call", INT)!()], [3, 33]);
  },
);
