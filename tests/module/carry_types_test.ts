import { assertEquals } from "@std/assert";
import { type CarryReport, type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { HeaderFlag } from "../../src/smf/mod.ts";
import { ROUTINES } from "../support/modules.ts";
import { typedModule, Types } from "../support/typed_modules.ts";

type Variables = Record<string, { readonly type: number; readonly bytes: ArrayBufferView<ArrayBuffer> }>;

/** A version with variables of these types. */
function version(sourceHash: bigint, variables: (types: Types) => Variables): Uint8Array<ArrayBuffer> {
  const types = new Types();
  const all = Object.entries(variables(types));
  const data = Object.fromEntries(all.map(([name, { bytes }]) => [name, new Uint8Array(bytes.buffer)]));
  const parts = { routines: { add32: ROUTINES.add32 }, data, sourceHash, flags: HeaderFlag.Reloadable };
  return typedModule(parts, types.list, Object.fromEntries(all.map(([name, { type }]) => [name, type])));
}

function bytesOf(module: LoadedModule, name: string, size: number): Uint8Array<ArrayBuffer> {
  using lease = module.addressOf(name)!;
  const pointer = Deno.UnsafePointer.create(lease.address)!;
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, size)).slice();
}

/** Carries from one version to the next, and looks at the result. */
async function carry(
  old: (types: Types) => Variables,
  now: (types: Types) => Variables,
  look: (module: LoadedModule, report: CarryReport) => void,
): Promise<void> {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", version(1n, old));
  using module = registry.reload("m", { bytes: version(2n, now), state: "carry" });
  look(module, module.carried!);
}

const point = (types: Types, name: string, ...fields: string[]) => {
  const float = types.base("float", 4, "float");
  return types.struct(
    name,
    4 * fields.length,
    Object.fromEntries(fields.map((field, index) => [field, [float, 4 * index]])),
  );
};

Deno.test("an array of structs keeps its fields when one is added and elements come", async () => {
  await carry(
    (types) => ({
      points: {
        type: types.add({ kind: "array", of: point(types, "point", "x", "y"), count: 2 }),
        bytes: Float32Array.of(1, 2, 3, 4),
      },
    }),
    (types) => ({
      points: {
        type: types.add({ kind: "array", of: point(types, "point", "mass", "x", "y"), count: 3 }),
        bytes: Float32Array.of(9, 0, 0, 9, 0, 0, 9, 7, 7),
      },
    }),
    (module, report) => {
      assertEquals([...new Float32Array(bytesOf(module, "points", 36).buffer)], [9, 1, 2, 9, 3, 4, 9, 7, 7]);
      assertEquals(report.carried, []);
      assertEquals(report.matchedBySize, []);
      assertEquals(report.converted, [{
        name: "points",
        changes: [
          "2 → 3 elements, of which the first 2 keep their values",
          "struct point: + float mass; x, y keep their values",
        ],
        fresh: [{ name: "points[].mass", reason: "the old version has no such field" }],
      }]);
    },
  );
});

Deno.test("a type of equal size that means something else is never copied", async () => {
  await carry(
    (types) => ({ level: { type: types.base("int", 4, "signed"), bytes: Int32Array.of(5) } }),
    (types) => ({ level: { type: types.base("float", 4, "float"), bytes: Float32Array.of(0.5) } }),
    (module, report) => {
      assertEquals(new Float32Array(bytesOf(module, "level", 4).buffer)[0], 0.5);
      assertEquals(report.fresh, [{ name: "level", reason: "its type was int, is float" }]);
    },
  );
});

Deno.test("a variable that the compiler shrank starts anew, also if both versions have it in one byte", async () => {
  const shrunk = (value: number) => (types: Types): Variables => ({
    state: { type: types.base("int", 4, "signed"), bytes: Uint8Array.of(value) },
  });
  await carry(shrunk(1), shrunk(0), (module, report) => {
    assertEquals([...bytesOf(module, "state", 1)], [0]);
    assertEquals(report.fresh, [
      { name: "state", reason: "the compiler made it 1 bytes, of the 4 of its type int" },
    ]);
  });
});

Deno.test("equal types are carried as they are, under another name too", async () => {
  await carry(
    (types) => ({ p: { type: point(types, "point", "x", "y"), bytes: Float32Array.of(1, 2) } }),
    (types) => ({ p: { type: point(types, "vec2", "x", "y"), bytes: Float32Array.of(0, 0) } }),
    (module, report) => {
      assertEquals([...new Float32Array(bytesOf(module, "p", 8).buffer)], [1, 2]);
      assertEquals(report.carried, ["p"]);
      assertEquals(report.initialValueChanged, ["p"]);
      assertEquals(report.matchedBySize, []);
    },
  );
});

Deno.test("a flexible array at the end of a struct is carried if nothing has changed", async () => {
  const list = (count: number, extra: number) => (types: Types): Variables => {
    const int = types.base("int", 4, "signed");
    const tail = types.add({ kind: "array", of: int, count: undefined });
    const fields: Record<string, [number, number]> = { count: [int, 0], tail: [tail, 4] };
    return {
      list: { type: types.struct("list", 4, fields), bytes: Int32Array.from({ length: count }, () => extra) },
    };
  };
  await carry(list(3, 7), list(3, 1), (_, report) => assertEquals(report.carried, ["list"]));
  await carry(list(3, 7), list(4, 1), (_, report) => {
    assertEquals(report.fresh, [
      { name: "list", reason: "its type does not tell the length of the array at its end" },
    ]);
  });
});

Deno.test("the report names the variables that lead to structs of another layout", async () => {
  const head = (...fields: string[]) => (types: Types): Variables => ({
    head: { type: types.pointer(point(types, "node", ...fields)), bytes: BigUint64Array.of(0n) },
    other: { type: types.pointer(point(types, "leaf", "x")), bytes: BigUint64Array.of(0n) },
  });
  await carry(head("x"), head("x", "y"), (_, report) => {
    assertEquals(report.carried, ["head", "other"]);
    assertEquals(report.changedPointees, [
      { name: "head", change: "struct node: + float y; x keeps its value" },
    ]);
  });
});

Deno.test("a failed reload leaves the old values", async () => {
  const variables = (...fields: string[]) => (types: Types): Variables => ({
    p: {
      type: point(types, "point", ...fields),
      bytes: Float32Array.from(fields, (_, index) => index + 1),
    },
  });
  await using registry = new ModuleRegistry();
  using first = registry.loadBytes("m", version(1n, variables("x", "y")));
  const bytes = version(2n, variables("y", "z", "x"));
  const seen: number[][] = [];
  try {
    registry.reload("m", {
      bytes,
      state: "carry",
      verify: (candidate) => {
        seen.push([...new Float32Array(bytesOf(candidate, "p", 12).buffer)]);
        return false;
      },
    });
  } catch {
    seen.push([...new Float32Array(bytesOf(first, "p", 8).buffer)]);
  }
  assertEquals(seen, [[2, 2, 1], [1, 2]]);
});
