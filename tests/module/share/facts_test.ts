import { assert, assertEquals } from "@std/assert";
import { LoadedModule, ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { SealedFacts } from "../../../src/module/share/facts.ts";
import { assertLoadError } from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

const bytes = version({ functions: { answer: 1 } });

/** Any token, whose facts are opaque. */
// deno-lint-ignore no-explicit-any
type AnyToken = any;

Deno.test("a program that gives BigInt a toJSON shares and attaches as any other", async () => {
  const prototype = BigInt.prototype as unknown as Record<string, unknown>;
  await using registry = new ModuleRegistry();
  const module = registry.loadBytes("m", bytes);
  const before = structuredClone(module.share());
  prototype.toJSON = function () {
    return `${this}`;
  };
  try {
    for (const token of [before, structuredClone(module.share())]) {
      using attached = LoadedModule.attach(token);
      assertEquals(attached.getFunction("answer", INT)?.(), 1);
    }
  } finally {
    delete prototype.toJSON;
  }
});

Deno.test("a token that describes itself as another does not forge an address", async () => {
  await using module = new ModuleLoader().loadBytes(bytes);
  const token = module.share() as AnyToken;
  const genuine = token.module;
  const forged = { ...genuine, address: 0x1000n };
  const liar = (address: bigint) => ({
    ...genuine,
    get address() {
      const told = address;
      address = 0x1000n;
      return told;
    },
  });
  for (
    const module of [
      forged,
      { ...forged, toJSON: () => genuine },
      Object.assign(Object.create({ toJSON: () => genuine }), forged),
      { ...genuine, header: { ...genuine.header, toJSON: () => genuine.header, arch: 9 } },
      { ...genuine, more: genuine },
      { ...genuine, path: () => "m" },
    ]
  ) assertLoadError(() => LoadedModule.attach({ ...token, module }), "InvalidToken");
  // A field that changes is read once: what was sealed is what is used.
  using attached = LoadedModule.attach({ ...token, module: liar(genuine.address) });
  assertEquals(attached.codeMemory.address, module.codeMemory.address);
});

Deno.test("facts that lead back to themselves, and what no token holds, cannot be read", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  for (const facts of [cyclic, { f() {} }, { symbol: Symbol() }, { nothing: null }, "x".constructor]) {
    assertEquals(new SealedFacts(facts).copy, undefined);
  }
});

Deno.test("different facts never read the same", () => {
  const texts = [
    { a: "1" },
    { a: 1 },
    { a: 1n },
    { a: true },
    { a: undefined },
    {},
    { a: [] },
    { a: {} },
    { a: [1, 2] },
    { a: [12] },
    { a: "1", b: "2" },
    { a: '1:b"2' },
    { "a1": "" },
    { a: new Uint8Array(1) },
    { a: new SharedArrayBuffer(16) },
  ].map((facts) => new SealedFacts(facts).text);
  assertEquals(new Set(texts).size, texts.length, texts.join("\n"));
});

Deno.test("tables are copied, so that later changes have no effect", () => {
  const table = new Uint8Array([1, 2, 3]);
  const { copy, tables } = new SealedFacts({ table });
  table[0] = 9;
  assertEquals((copy as { table: Uint8Array }).table[0], 1);
  assert(tables.length === 1 && tables[0][0] === 1);
});
