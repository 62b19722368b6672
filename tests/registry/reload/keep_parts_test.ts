// Static structs whose fields LLVM stores by themselves: each field is a variable that stays, whatever fields come.
import { assertEquals, assertMatch } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";

const FIRST = `
  static struct { int sum; long calls; } tally;
  int add(int by) { tally.calls++; return tally.sum += by; }
  long calls(void) { return tally.calls; }`;

/** The struct has other fields, in another order, and one of another type. */
const SECOND = `
  static struct { long largest; long calls; int sum; } tally;
  int add(int by) { if (by > tally.largest) tally.largest = by; tally.calls++; return tally.sum += by; }
  long calls(void) { return tally.calls; }
  long largest(void) { return tally.largest; }`;

const THIRD = SECOND.replace("int sum", "float sum");

for (const compiler of ["clang", "clang++"]) {
  testWithCompilers(
    [compiler],
    `fields stay while others come, and one of another type starts anew (${compiler})`,
    async (folder) => {
      const source = (text: string) =>
        compiler === "clang"
          ? text
          : `extern "C" {\n${text}\n}`.replaceAll("static struct {", "static struct T {");
      const version = (text: string) =>
        compiledVersion(folder, source(text), {
          name: "tally",
          compiler,
          flags: ["-O2", "-g", "-fdata-sections"],
        });
      const [first, second, third] = [await version(FIRST), await version(SECOND), await version(THIRD)];
      await using registry = new ModuleRegistry();
      using _ = registry.loadBytes("tally", first);
      const { symbols: { add, calls } } = registry.open("tally", {
        add: { parameters: ["i32"], result: "i32" },
        calls: { parameters: [], result: "i64" },
      });
      assertEquals([add(5), add(3), calls()], [5, 8, 2n]);

      using reloaded = registry.reload("tally", { bytes: second, state: "keep" });
      const { kept, fresh } = reloaded.carried!;
      assertEquals(kept.map((name) => name.replace(/^_ZL5/, "")).sort(), ["tally.calls", "tally.sum"]);
      assertEquals(fresh.map(({ name }) => name.replace(/^_ZL5/, "")), ["tally.largest"]);
      assertEquals([add(1), calls()], [9, 3n]);

      using changed = registry.reload("tally", { bytes: third, state: "keep" });
      const { kept: same, fresh: other } = changed.carried!;
      assertEquals(same.map((name) => name.replace(/^_ZL5/, "")).sort(), ["tally.calls", "tally.largest"]);
      assertEquals(other.map(({ name, reason }) => [name.replace(/^_ZL5/, ""), reason]), [
        ["tally.sum", "its type was int, is float"],
      ]);
      assertEquals([add(1), calls()], [1, 4n]);
      assertMatch(Deno.inspect(changed.carried), /kept: \[ "tally\.largest", "tally\.calls" \]/);
    },
  );
}

const byName = (left: { name: string }, right: { name: string }) => left.name < right.name ? -1 : 1;

/** A version takes the struct's address, so that LLVM stores it as a whole. */
const WHOLE = `${FIRST}\nvoid *where(void) { return &tally; }`;

testWithCompilers(
  ["clang"],
  "a struct is not followed from fields that LLVM stores by themselves to a whole, nor back to older fields",
  async (folder) => {
    const version = (text: string) =>
      compiledVersion(folder, text, {
        name: "tally",
        compiler: "clang",
        flags: ["-O2", "-g", "-fdata-sections"],
      });
    const [parts, whole] = [await version(FIRST), await version(WHOLE)];
    await using registry = new ModuleRegistry();
    using _ = registry.loadBytes("tally", parts);
    const { symbols: { add, calls } } = registry.open("tally", {
      add: { parameters: ["i32"], result: "i32" },
      calls: { parameters: [], result: "i64" },
    });
    assertEquals([add(5), add(3), calls()], [5, 8, 2n]);

    using second = registry.reload("tally", { bytes: whole, state: "keep" });
    assertEquals(second.carried!.fresh, [{
      name: "tally",
      reason: "in the old version the compiler took it apart, and there are values of some fields only: " +
        "take its address, or declare it volatile, in both versions",
    }]);
    assertEquals([add(1), calls()], [1, 1n]);

    using third = registry.reload("tally", { bytes: parts, state: "keep" });
    const reason =
      "it is a field of 'tally', which the old version stores as a whole, and the compiler now takes " +
      "apart: take its address, or declare it volatile, in both versions";
    assertEquals(third.carried!.fresh.map(({ name, reason }) => ({ name, reason })).sort(byName), [
      { name: "tally.calls", reason },
      { name: "tally.sum", reason },
    ]);
    assertEquals([add(2), calls()], [2, 1n]);

    using fourth = registry.reload("tally", { bytes: whole, state: "keep" });
    assertEquals(fourth.carried!.fresh, second.carried!.fresh);
    assertEquals([add(4), calls()], [4, 1n]);

    // With code it goes back to the variables of that code.
    registry.rollback("tally", { state: "keep" }).close();
    assertEquals([add(3), calls()], [5, 2n]);
  },
);
