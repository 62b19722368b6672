import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type ImportSource,
  type Provider,
  resolveImports,
  resolverSource,
} from "../../../src/load/imports/resolve.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { SmfBuilder } from "../../../src/smf/builder.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { assertLoadError } from "../../support/testing.ts";

/** Resolves imports with these names and types; Weak if the name ends with a question mark. */
function resolve(
  wanted: readonly (string | readonly [name: string, type: number])[],
  ...sources: ImportSource[]
) {
  const builder = new SmfBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8 * wanted.length) });
  wanted.forEach((each, index) => {
    const [name, type] = typeof each === "string" ? [each, SymbolType.None] : each;
    const binding = name.endsWith("?") ? Binding.Weak : Binding.Global;
    const symbol = builder.symbol({ name, type, binding, defined: false });
    builder.relocation({ offset: 8 * index, symbol, type: RelocationType.Abs64 });
  });
  const file = parseSmf(builder.build());
  return resolveImports(file, scanRelocations(file).imports, sources, { description: "module 'm'" });
}

/** A source that answers from a record, and notes each question. */
function source(answers: Record<string, bigint>, from: string, provider?: Provider) {
  const asked: [name: string, wantsFunction: boolean | undefined][] = [];
  const it: ImportSource = {
    find(name, wantsFunction) {
      asked.push([name, wantsFunction]);
      if (!Object.hasOwn(answers, name)) return undefined;
      return { address: answers[name], from, ...(provider && { provider }) };
    },
  };
  return { it, asked };
}

/** A provider that lists its holders. */
function provider(description: string, refuse?: Error) {
  const holders: string[] = [];
  const it: Provider = {
    description,
    hold({ description }) {
      if (refuse !== undefined) throw refuse;
      holders.push(description);
      return { [Symbol.dispose]: () => void holders.splice(holders.indexOf(description), 1) };
    },
  };
  return { it, holders };
}

Deno.test("a file without imports asks no source", () => {
  const none = source({}, "nobody");
  const { records, addresses } = resolve([], none.it);
  assertEquals([records.length, addresses.length, none.asked.length], [0, 0, 0]);
});

Deno.test("sources are asked in order and the first answer counts", () => {
  const first = source({ a: 1n, both: 2n }, "first");
  const second = source({ b: 3n, both: 4n }, "second");
  const { records, addresses } = resolve(["both", "b", "a"], first.it, second.it);
  assertEquals([...addresses], [2n, 3n, 1n]);
  assertEquals(records, [
    { name: "both", address: 2n, from: "first" },
    { name: "b", address: 3n, from: "second" },
    { name: "a", address: 1n, from: "first" },
  ]);
  assertEquals(second.asked.map(([name]) => name), ["b"]);
});

Deno.test("a source learns whether a function is wanted, if the file says so", () => {
  const all = source({ f: 1n, d: 2n, n: 3n, c: 4n }, "all");
  const { Function, Data, None, Constant } = SymbolType;
  resolve([["f", Function], ["d", Data], ["n", None], ["c", Constant]], all.it);
  assertEquals(all.asked, [["f", true], ["d", false], ["n", undefined], ["c", false]]);
});

Deno.test("all undefined symbols are in one error, in order", () => {
  const some = source({ b: 1n }, "some");
  const error = assertLoadError(() => resolve(["a", "b", "c", "weak?", "d"], some.it), "UndefinedSymbol", {
    symbols: ["a", "c", "d"],
  });
  assert(error.message.includes("undefined symbols 'a', 'c', 'd'"), error.message);
  const one = assertLoadError(() => resolve(["only"]), "UndefinedSymbol", { symbols: ["only"] });
  assert(one.message.includes("'only'"), one.message);
});

Deno.test("an undefined symbol comes with the nearest name that a source defines", () => {
  const near = { ...source({}, "some").it, names: () => ["strlen", "strnlen", "memcpy"] };
  const error = assertLoadError(() => resolve(["strlem", "printf"], near), "UndefinedSymbol", {
    symbols: ["strlem", "printf"],
  });
  assert(error.message.includes("'strlem' (did you mean 'strlen'?), 'printf'"), error.message);
});

Deno.test("a weak import is 0 if no source defines it, and its address otherwise", () => {
  const { records, addresses } = resolve(["a?", "b?"], source({ "b?": 9n }, "some").it);
  assertEquals([...addresses], [0n, 9n]);
  assertEquals(records, [
    { name: "a?", address: 0n, from: "nobody" },
    { name: "b?", address: 9n, from: "some" },
  ]);
});

Deno.test("the names of Object.prototype are not defined", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  assertLoadError(() => resolve(names, source({}, "empty").it), "UndefinedSymbol", { symbols: names });
});

Deno.test("the importer holds each provider once, until the result is disposed of", () => {
  const one = provider("one");
  const two = provider("two");
  const idle = provider("idle");
  const resolved = resolve(
    ["a", "b", "c"],
    source({ a: 1n, b: 2n }, "one", one.it).it,
    source({ c: 3n }, "two", two.it).it,
    source({ a: 4n }, "idle", idle.it).it,
  );
  assertEquals([one.holders, two.holders, idle.holders], [["module 'm'"], ["module 'm'"], []]);
  resolved[Symbol.dispose]();
  assertEquals([one.holders, two.holders], [[], []]);
  resolved[Symbol.dispose]();
});

Deno.test("no provider is held if a symbol is undefined", () => {
  const one = provider("one");
  assertLoadError(
    () => resolve(["a", "missing"], source({ a: 1n }, "one", one.it).it),
    "UndefinedSymbol",
  );
  assertEquals(one.holders, []);
});

Deno.test("no provider stays held if one of them can no longer be", () => {
  const one = provider("one");
  const closed = new Error("closed meanwhile");
  const two = provider("two", closed);
  const thrown = assertThrows(() =>
    resolve(["a", "b"], source({ a: 1n }, "one", one.it).it, source({ b: 2n }, "two", two.it).it)
  );
  assertStrictEquals(thrown, closed);
  assertEquals(one.holders, []);
});

Deno.test("an error of a source comes out unchanged", () => {
  const mine = new Error("mine");
  const thrown = assertThrows(() =>
    resolve(["a"], {
      find() {
        throw mine;
      },
    })
  );
  assertStrictEquals(thrown, mine);
});

Deno.test("a resolver returns an address, or null or undefined for none", () => {
  const resolver = resolverSource((name) =>
    name === "a" ? 0x7fff_ffff_ffffn : name === "b" ? null : undefined
  );
  assertEquals(resolver.find("a", true), { address: 0x7fff_ffff_ffffn, from: "resolver" });
  assertEquals(resolver.find("b", true), undefined);
  assertEquals(resolver.find("c", true), undefined);
  const { records } = resolve(["a"], resolver);
  assertEquals(records[0].from, "resolver");
});

Deno.test("a resolver may return any address, also at the ends of the address space", () => {
  for (const address of [1n, 1n << 63n, (1n << 64n) - 1n]) {
    assertEquals([...resolve(["a"], resolverSource(() => address)).addresses], [address]);
  }
});

Deno.test("a resolver's result that is not an address is a TypeError that names the symbol", () => {
  for (const answer of [1, "1", true, {}, -1n, 1n << 64n]) {
    const resolver = resolverSource(() => answer as bigint);
    const error = assertThrows(() => resolver.find("it", true), TypeError);
    assert(error.message.includes("'it'"), error.message);
  }
});
