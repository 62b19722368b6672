// A fault at any step of a reload of a hot module leaves the version that runs as it was.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { RefusingAllocator } from "../../support/refusing_allocator.ts";

/** More functions than one page of trampolines holds; later versions have more, and one with another signature. */
const source = (version: number, count: number, parameters: string, values: string) => `
  typedef int function(int);
  #define KEPT __attribute__((noinline))
  ${
  Array.from(
    { length: count },
    (_, index) => `static int f${index}(int x) { return x + ${index + version}; }`,
  ).join("\n")
}
  function *const table[] = { ${Array.from({ length: count }, (_, index) => `f${index}`).join(", ")} };
  static function *volatile stored = f7;
  static int counter;
  KEPT __attribute__((visibility("hidden"))) int changing(${parameters}) { return a + ${version}; }
  void *volatile taken = (void *)changing;
  int sum(void) { int sum = 0; for (int i = 0; i < 200; i++) sum += table[i](0); return sum; }
  int call(void) { return changing(${values}) * 1000 + stored(0); }
  int count(void) { return ++counter; }
  function *address(void) { return stored; }`;
const SUM = 200 * 199 / 2;

testWithCompilers(["gcc"], "a hot module goes on whatever the system refuses", async (folder) => {
  const build = (text: string): Promise<Uint8Array<ArrayBuffer>> =>
    compiledVersion(folder, text, {
      name: "m",
      flags: ["-O1", "-g", "-ffunction-sections", "-fdata-sections", "-flive-patching=inline-clone"],
      link: { hot: true, exports: ["sum", "call", "count", "address"] },
    });
  const files = [
    await build(source(1, 200, "int a", "1")),
    await build(source(2, 300, "int a, double b", "1, 2.0")),
    await build(source(3, 250, "int a", "1")),
  ];
  const allocator = new RefusingAllocator();
  {
    await using registry = new ModuleRegistry({ allocator, keepVersions: 4 });
    using _module = registry.loadBytes("m", files[0]);
    const int = { parameters: [], result: "i32" } as const;
    using live = registry.open("m", {
      sum: int,
      call: int,
      count: int,
      address: { parameters: [], result: "u64" },
    });
    const { symbols } = live;
    const address = symbols.address();
    let counted = 0;
    const check = (version: number, what: string): void => {
      const found = [symbols.sum(), symbols.call(), symbols.count(), symbols.address()];
      assertEquals(
        found,
        [SUM + 200 * version, (1 + version) * 1000 + 7 + version, ++counted, address],
        what,
      );
    };
    check(1, "at first");
    for (const version of [2, 3]) {
      let steps = 0;
      for (;; steps++) {
        allocator.calls = 0;
        allocator.refused = steps + 1;
        let taken = false;
        try {
          registry.reload("m", { bytes: files[version - 1] }).close();
          taken = true;
        } catch (error) {
          assert(error instanceof LoadError && error.kind === "OutOfMemory", String(error));
        }
        if (taken) break;
        check(version - 1, `refused at step ${steps + 1}`);
      }
      allocator.refused = 0;
      assert(steps > 5, `${steps} steps`);
      check(version, "after all");
    }
    registry.rollback("m").close();
    check(2, "after a rollback");
    assertThrows(() => registry.reload("m", { bytes: files[2], verify: () => false }), LoadError);
    check(2, "after a refusal by verify");
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
  // As with other modules that keep variables: a candidate whose code cannot be made executable again stays.
  assert(allocator.live.size <= 2, `${allocator.live.size} ranges stay`);
}, { sanitizeResources: false });
