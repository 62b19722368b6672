// Addresses in carried variables that no symbol explains, initial values, and the options of carrying.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type LoadedModule, ModuleRegistry, type ReloadOptions } from "../../mod.ts";
import { compiledVersion } from "../support/compiled_versions.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { runChild } from "../support/modules.ts";
import { assertLoadError, readWord } from "../support/testing.ts";
import { INT, type Parts, version } from "../support/versions.ts";

const CODE = { code: 1, other: 2 } as const;

/** Loads one version, lets the test change it, and reloads with the other. */
function reload(
  registry: ModuleRegistry,
  before: Parts,
  after: Parts,
  options: ReloadOptions = {},
  change: (first: LoadedModule) => void = () => {},
): LoadedModule {
  change(registry.loadBytes("m", version({ functions: CODE, ...before })));
  const bytes = version({ functions: CODE, ...after });
  return registry.reload("m", { bytes, state: "carry", ...options });
}

function address(module: LoadedModule, name: string): bigint {
  using lease = module.addressOf(name)!;
  return lease.address;
}

/** The address of a function's code, which is not that of its trampoline. */
function codeAddress(module: LoadedModule, name: "code" | "other"): bigint {
  return module.codeMemory.address + (name === "code" ? 0n : 16n);
}

function word(module: LoadedModule, name: string, index = 0): bigint {
  return readWord(address(module, name) + BigInt(8 * index));
}

function write(module: LoadedModule, name: string, value: bigint): void {
  const pointer = Deno.UnsafePointer.create(address(module, name))!;
  new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 8))[0] = value;
}

for (const level of ["-O0", "-O2"]) {
  testWithCompilers(
    ["gcc"],
    `a writable table of labels leads into the new code, not into the old body (${level})`,
    async (folder) => {
      const source = (n: number) => `
        int runs = 0;
        int test(void) {
          static const void *table[] = { &&add, &&sub, &&end };
          const char *code = "\\0\\0\\1\\2";
          int value = 0;
          ${n > 1 ? "volatile int moved = 1; moved++;" : ""}
          runs++;
          goto *table[(int)*code++];
          add: value += ${n}; goto *table[(int)*code++];
          sub: value -= 1; goto *table[(int)*code++];
          end: return 100 * runs + value;
        }`;
      const files: string[] = [];
      for (const n of [1, 5, 9]) {
        files.push(`${folder}/${n}.smf`);
        Deno.writeFileSync(files.at(-1)!, await compiledVersion(folder, source(n), { flags: [level] }));
      }
      const script = new URL("./reloads_child.ts", import.meta.url);
      const { code, signal, stdout } = await runChild(script, { args: ["test", ...files] });
      assertEquals([code, signal], [0, null]);
      assertEquals(JSON.parse(stdout).map(({ answers }: { answers: number[] }) => answers), [[101], [209], [
        317,
      ]]);
    },
  );
}

Deno.test("an address inside a function that was never written becomes the new initial value", async () => {
  await using registry = new ModuleRegistry();
  const second = reload(registry, { data: { table: ["code+1"] } }, { data: { table: ["other+2"] } });
  assertEquals(word(second, "table"), codeAddress(second, "other") + 2n);
  assertEquals(second.carried?.fresh, []);
});

Deno.test("an address inside a function that was written makes the variable start anew", async () => {
  await using registry = new ModuleRegistry();
  const second = reload(
    registry,
    { data: { label: ["code+1"], count: [1n] } },
    { data: { label: ["other"], count: [1n] } },
    {},
    (first) => write(first, "label", codeAddress(first, "other") + 1n),
  );
  assertEquals(word(second, "label"), address(second, "other"));
  assertEquals(second.carried?.fresh, [{
    name: "label",
    reason: "its word at 0 is an address inside function 'other', which may differ now",
  }]);
  assertEquals(second.carried?.carried, ["count"]);
});

Deno.test("an address that nothing explains and nobody wrote becomes the new initial value", async () => {
  await using registry = new ModuleRegistry();
  const second = reload(
    registry,
    { data: { pointer: ["array+8"], array: [1n, 2n, 3n] } },
    { data: { pointer: ["array+8"], more: [0n], array: [1n, 2n] } },
  );
  assert(second.carried?.carried.includes("pointer"));
  assertEquals(second.carried?.oldPointers, []);
  assertEquals(word(second, "pointer"), address(second, "array") + 8n);
});

Deno.test("equal bytes map address for address: no old pointers, nothing matched by size", async () => {
  await using registry = new ModuleRegistry();
  const parts: Parts = {
    data: { inside: ["code+1"], hole: [0n], table: [0n], twice: [1n], again: [2n] },
    details: { again: { name: "twice", binding: 0 }, twice: { binding: 0 } },
  };
  const second = reload(registry, parts, parts, {}, (first) => {
    write(first, "hole", codeAddress(first, "code") + 3n);
    write(first, "table", address(first, "hole") + 4096n - 1n);
  });
  assertEquals(word(second, "inside"), codeAddress(second, "code") + 1n);
  assertEquals(word(second, "hole"), codeAddress(second, "code") + 3n);
  const { carried, ...others } = second.carried!;
  assertEquals(carried.toSorted(), ["hole", "inside", "table", "twice", "twice"]);
  const none = { converted: [], fresh: [], oldPointers: [], matchedBySize: [] };
  assertEquals(others, {
    ...none,
    kept: [],
    tables: [],
    moved: [],
    unused: undefined,
    replacedCode: undefined,
    initialValueChanged: [],
    changedPointees: [],
  });
});

Deno.test("oldPointers: refuse ends a reload that would leave addresses in the old version", async () => {
  await using registry = new ModuleRegistry();
  const before: Parts = { functions: { ...CODE, gone: 3 }, data: { one: ["gone"], two: ["gone", 7n] } };
  const after: Parts = { data: { one: [0n], two: [0n, 0n] } };
  assertLoadError(
    () => reload(registry, before, after, { oldPointers: "refuse" }),
    "Incompatible",
    {
      path: "m",
      symbols: ["one", "two"],
      offset: 0,
    },
  );
  assertEquals(registry.versions("m").map(({ version }) => version), [1], "nothing has changed");
  const bytes = version({ functions: CODE, ...after });
  const second = registry.reload("m", { bytes, state: "carry", oldPointers: "refuse", take: ["one", "two"] });
  assertEquals(second.carried?.oldPointers, []);
  assertEquals([word(second, "one"), word(second, "two", 1)], [0n, 0n]);
});

Deno.test("variables that kept their values although their initial values changed are listed", async () => {
  await using registry = new ModuleRegistry();
  const second = reload(
    registry,
    { data: { gravity: [2n], count: [0n], zero: [0n], handler: ["code"], moved: ["gravity"] } },
    { data: { more: [9n], gravity: [3n], count: [0n], zero: [1n], handler: ["other"], moved: ["gravity"] } },
    {},
    (first) => write(first, "count", 41n),
  );
  assertEquals(second.carried?.initialValueChanged.toSorted(), ["gravity", "handler", "zero"]);
  assertEquals([word(second, "gravity"), word(second, "count")], [2n, 41n]);
  assertEquals(word(second, "handler"), address(second, "code"));
  assertEquals(second.carried?.matchedBySize.toSorted(), ["count", "gravity", "handler", "moved", "zero"]);
});

Deno.test("take gives named variables their new initial values, and refuses names that are none", async () => {
  await using registry = new ModuleRegistry();
  const before: Parts = { data: { gravity: [2n], count: [0n] } };
  const after: Parts = { data: { gravity: [3n], count: [1n] } };
  const second = reload(registry, before, after, { take: ["gravity"] });
  assertEquals([word(second, "gravity"), word(second, "count")], [3n, 0n]);
  assertEquals(second.carried?.fresh, [{ name: "gravity", reason: "`take` names it" }]);
  const bytes = version({ functions: CODE, ...before });
  assertLoadError(() => registry.reload("m", { bytes, state: "carry", take: ["gravty"] }), "Incompatible", {
    symbols: ["gravty"],
  });
});

Deno.test("take: unwritten gives new initial values to variables that the program never wrote", async () => {
  await using registry = new ModuleRegistry();
  const second = reload(
    registry,
    { data: { gravity: [2n], count: [0n], same: [5n], pointer: ["code"] } },
    { data: { gravity: [3n], count: [1n], same: [5n], pointer: ["code"] } },
    { take: "unwritten" },
    (first) => write(first, "count", 41n),
  );
  assertEquals([word(second, "gravity"), word(second, "count"), word(second, "same")], [3n, 41n, 5n]);
  assertEquals(second.carried?.fresh.map(({ name }) => name), ["gravity"]);
  assertEquals(second.carried?.initialValueChanged, ["count"]);
});

Deno.test("options of carrying that do not exist are a TypeError that names the valid ones", async () => {
  await using registry = new ModuleRegistry();
  const parts: Parts = { data: { total: [1n] } };
  for (const options of [{ oldPointers: "Refuse" }, { take: "gravity" }, { take: [5] }]) {
    const error = assertThrows(() => reload(registry, parts, parts, options as ReloadOptions), TypeError);
    assert(/'keep' or 'refuse'|an array of names, or "unwritten"/.test(error.message), error.message);
  }
});

testWithCompilers(["gcc"], "texts that nobody wrote lead to the new version's texts", async (folder) => {
  const source = (text: string) => `
    const char *first = "in front of it", *name = "${text}";
    int test(void) { return name[0]; }`;
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", await compiledVersion(folder, source("A")));
  const bytes = await compiledVersion(folder, source("B"));
  const second = registry.reload("m", { bytes, state: "carry", oldPointers: "refuse" });
  assertEquals(second.getFunction("test", INT)!(), "B".charCodeAt(0));
});
