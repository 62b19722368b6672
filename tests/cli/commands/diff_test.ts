import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { compare } from "../../../src/cli/analysis/compare.ts";
import { LoadError } from "../../../src/errors/load_error.ts";
import { HeaderFlag, Platform, SectionType, type SymbolOptions, SymbolType } from "../../../src/smf/mod.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { hostBuilder, machineCode, randomFrom, stress, TemporaryDirectory } from "../../support/testing.ts";
import { ROUTINES, word } from "../../support/modules.ts";
import { smf } from "../../support/smf_command.ts";
import { typedModule, Types } from "../../support/typed_modules.ts";

const { Function, Data } = SymbolType;

/** A module with these symbols: code at 0, data at 4096. */
function version(
  symbols: readonly SymbolOptions[],
  options: Parameters<typeof hostBuilder>[0] = {},
): Uint8Array {
  const builder = hostBuilder({ flags: HeaderFlag.Reloadable, ...options });
  const code = new Uint8Array(64);
  code.set(machineCode.returns(7));
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(64) });
  for (const symbol of symbols) builder.symbol(symbol);
  return builder.build();
}

const run: SymbolOptions = { name: "run", type: Function, value: 0, size: 16 };
const total: SymbolOptions = { name: "total", type: Data, value: 4096, size: 8 };

const COMPATIBLE = "compatible by names, kinds and sizes: a reload goes ahead; " +
  "types, signatures and heap objects were not compared";

/** Runs the command on two versions. */
async function diff(
  old: Uint8Array,
  now: Uint8Array,
  ...options: string[]
): Promise<{ code: number; out: string[] }> {
  using folder = new TemporaryDirectory();
  const { code, out, err } = await smf(
    "diff",
    folder.file("old.smf", old),
    folder.file("new.smf", now),
    ...options,
  );
  assertEquals(err, []);
  return { code, out };
}

Deno.test("identical versions, and versions that are compatible, end with code 0", async () => {
  const old = version([run, total]);
  assertEquals(await diff(old, old), {
    code: 0,
    out: ["carried: total", "identical: the files have the same bytes"],
  });
  assertEquals(
    await diff(old, version([{ ...run, size: 24 }, total, { ...total, name: "fresh", value: 4104 }])),
    {
      code: 0,
      out: [
        "+  export    fresh  data",
        "+  variable  fresh",
        "~  symbol    run    size 16 → 24",
        "carried: total",
        "matched by size alone, their types are not known: total",
        COMPATIBLE,
      ],
    },
  );
});

Deno.test("diff never calls versions safe or the same: it says what it looked at", async () => {
  const old = version([run, total]);
  const builder = (word: number) => {
    const builder = hostBuilder({ flags: HeaderFlag.Reloadable });
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
    const bytes = new Uint8Array(64);
    bytes[0] = word;
    builder.section({ name: "data", type: SectionType.Data, bytes });
    for (const symbol of [run, total, { ...total, name: "known", value: 4104, typeId: 3 }]) {
      builder.symbol(symbol);
    }
    builder.symbol({ name: "__cxa_atexit", type: Function, defined: false });
    return builder.build();
  };
  for (const [before, after] of [[old, old], [old, version([total, run])], [builder(1), builder(2)]]) {
    const { out } = await diff(before, after);
    assert(!/\bsafe\b|\bthe same:/.test(out.join("\n")), out.join("\n"));
  }
  const { out } = await diff(builder(1), builder(2));
  assertEquals(out.slice(1), [
    "carried: total, known",
    "matched by size alone, their types are not known: total",
    "initial value changed, the old value is kept: total",
    "variables with registered destructors are initialized anew: a reload finds them",
    COMPATIBLE,
  ]);
});

Deno.test("a changed variable needs a migration: code 3", async () => {
  const old = version([run, total]);
  for (
    const [changed, reason] of [
      [{ size: 16 }, "its size was 8, is 16"],
      [{ typeId: 5 }, "its type has changed"],
      [{ version: 2 }, "its version was 0, is 2"],
    ] as const
  ) {
    const { code, out } = await diff(old, version([run, { ...total, ...changed }]));
    assertEquals(code, 3);
    assertStringIncludes(out[0], reason);
    assert(out[0].endsWith("migrate"));
    assert(out.at(-1)!.startsWith("migrate: "));
  }
});

Deno.test("a removed or changed export and another system are refused: code 1", async () => {
  const old = version([run, total]);
  const cases: [now: Uint8Array, line: string][] = [
    [version([total]), "-  export  run  was function  refused"],
    [version([{ ...run, type: Data, value: 4096 }, total]), "~  export    run  function → data"],
    [version([run, total], { platform: Platform.FreeBSD }), "→ FreeBSD  refused"],
    [version([run, { ...total, binding: 0 }]), "-  export  total  was data  refused"],
  ];
  for (const [now, line] of cases) {
    const { code, out } = await diff(old, now);
    assertEquals(code, 1);
    assertStringIncludes(out.join("\n"), line);
    assertStringIncludes(out.at(-1)!, "refused: ");
  }
});

Deno.test("--json prints every change and the verdict, --quiet prints nothing", async () => {
  const old = version([run, total]);
  const now = version([run, { ...total, size: 16 }]);
  const { code, out } = await diff(old, now, "--json");
  const { version: form, verdict, changes, carried } = JSON.parse(out[0]);
  assertEquals([code, form, verdict, carried], [3, 1, "migrate", []]);
  assertEquals(changes[0], {
    what: "variable",
    name: "total",
    change: "changed",
    detail: "its size was 8, is 16",
    effect: "migrate",
  });
  assertEquals(await diff(old, now, "--quiet"), { code: 3, out: [] });
});

Deno.test("diff needs exactly two modules", async () => {
  const good = "fixtures/mylib.smf";
  for (const args of [[], [good], [good, good, good], ["-", "-"]]) {
    assertEquals((await smf("diff", ...args)).code, 2);
  }
  const bad = "fixtures/malformed/row21_function_in_data.smf";
  for (const args of [[bad, good], [good, bad]]) {
    const { code, err } = await smf("diff", ...args);
    assertEquals(code, 1);
    assertStringIncludes(err[0], `${bad}: Cannot use symbol as a function`);
  }
});

/** A few symbols that vary in every property that the rules examine. */
function randomVersion(random: () => number): Uint8Array {
  const symbols: SymbolOptions[] = [];
  ["a", "b", "c", "d"].forEach((name, index) => {
    if (random() % 6 === 0) return;
    const isFunction = random() % 6 === 0 ? index < 2 : index >= 2;
    symbols.push(
      isFunction ? { name, type: Function, value: 16 * index, size: 8 } : {
        name,
        type: Data,
        value: 4096 + 16 * index,
        size: random() % 4 === 0 ? 16 : 8,
        typeId: random() % 4 === 0 ? 1 : 0,
        version: random() % 4 === 0 ? 1 : 0,
      },
    );
  });
  return version(symbols);
}

Deno.test("a reload of a module whose exports are all in use does what diff says", () => {
  const random = randomFrom(99);
  const seen = new Set<string>();
  const rounds = Math.max(3, stress(2000));
  for (let round = 0; round < rounds; round++) {
    const [before, after] = [randomVersion(random), randomVersion(random)];
    const [old, now] = [before, after].map((bytes, index) => ({ path: `v${index}`, file: parseSmf(bytes) }));
    const { verdict, carried, matchedBySize, changes } = compare(old, now);
    seen.add(verdict);
    using registry = new ModuleRegistry();
    registry.loadBytes("m", before);
    using _live = registry.open(
      "m",
      Object.fromEntries(
        [...old.file.symbols].map(({ name, type, size }) => [
          name,
          type === Function ? { parameters: [], result: "i32" } : { type: size === 8 ? "i64" : "pointer" },
        ]),
      ) as Deno.ForeignLibraryInterface,
    );
    try {
      const { carried: report } = registry.reload("m", { bytes: after, state: "carry" });
      assert(verdict !== "refused", JSON.stringify(changes));
      assertEquals(report?.carried, carried);
      assertEquals(report?.matchedBySize, matchedBySize);
      const anew = changes.filter(({ effect }) => effect === "migrate").map(({ name }) => name);
      const fresh = report?.fresh.map(({ name }) => name) ?? [];
      assertEquals(fresh.filter((name) => old.file.symbols.find(name) !== undefined), anew);
    } catch (error) {
      if (!(error instanceof LoadError && error.kind === "Incompatible")) throw error;
      assertEquals(verdict, "refused", error.message);
      assertEquals(
        changes.filter(({ effect }) => effect === "refused").map(({ name }) => name).toSorted(),
        [...error.data.symbols ?? []].toSorted(),
      );
    }
  }
  // Few rounds may produce refused reloads only.
  if (rounds >= 100) assertEquals([...seen].toSorted(), ["compatible", "identical", "migrate", "refused"]);
});

/** A version of a module with types: points and a function that takes them. */
function typedVersion(
  fields: readonly string[],
  result: "int" | "long",
  sourceHash: bigint,
): Uint8Array<ArrayBuffer> {
  const types = new Types();
  const float = types.base("float", 4, "float");
  const results = { int: types.base("int", 4, "signed"), long: types.base("long", 8, "signed") };
  const size = 4 * fields.length;
  const particle = types.struct(
    "Particle",
    size,
    Object.fromEntries(fields.map((field, index) => [field, [float, 4 * index]])),
  );
  const parts = {
    routines: { count: ROUTINES.add32 },
    data: { all: new Uint8Array(2 * size), first: word(0n) },
    flags: HeaderFlag.Reloadable,
    sourceHash,
  };
  return typedModule(parts, types.list, {
    count: types.function(results[result], [results.int]),
    all: types.add({ kind: "array", of: particle, count: 2 }),
    first: types.pointer(particle),
  });
}

Deno.test("diff says which fields keep their values, and what pointers lead to", async () => {
  const old = typedVersion(["x", "y", "vx", "vy"], "int", 1n);
  const now = typedVersion(["mass", "x", "y", "vx", "vy"], "int", 2n);
  const { code, out } = await diff(old, now);
  assertEquals(code, 0);
  const line = "struct Particle: + float mass; x, y, vx, vy keep their values";
  assertEquals(out.slice(-5), [
    line,
    "carried: first",
    "converted: all",
    `objects outside variables keep the old layout: first: ${line}`,
    "compatible by names, kinds and types: a reload goes ahead; heap objects were not compared",
  ]);
  const json = JSON.parse((await diff(old, now, "--json")).out.join(""));
  assertEquals(json.hasTypes, true);
  assertEquals(json.structs, [line]);
  assertEquals(json.matchedBySize, []);
  assertEquals(json.converted, [{
    name: "all",
    changes: [line],
    fresh: [{ name: "all[].mass", reason: "the old version has no such field" }],
  }]);
});

Deno.test("diff refuses a signature that has changed, and shows both", async () => {
  const { code, out } = await diff(typedVersion(["x"], "int", 1n), typedVersion(["x"], "long", 2n));
  assertEquals(code, 1);
  const detail = "was int count(int p1), is long count(int p1)";
  assertEquals(out.find((line) => line.includes(detail))?.split(/ {2,}/), [
    "~",
    "export",
    "count",
    detail,
    "refused",
  ]);
});

Deno.test("a field that both versions have and that starts anew needs a migration", async () => {
  const types = (encoding: "signed" | "float") => {
    const types = new Types();
    const [number, int] = [types.base(encoding, 4, encoding), types.base("int", 4, "signed")];
    const state = types.struct("state", 8, { kept: [int, 0], changed: [number, 4] });
    const sourceHash = encoding === "float" ? 1n : 2n;
    const parts = { routines: { f: ROUTINES.add32 }, data: { state: new Uint8Array(8) }, sourceHash };
    return typedModule(parts, types.list, { state });
  };
  const { code, out } = await diff(types("signed"), types("float"));
  assertEquals(code, 3);
  assertStringIncludes(out.join("\n"), "state.changed: its type was signed, is float");
});
