import { assert, assertEquals, assertThrows } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { GivenImports } from "../../../src/load/imports/given.ts";
import { assertLoadError, NO_PROC, readWord } from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

const POINTING = version({ functions: { f: 0 }, data: { pointer: ["given"] } });

function importedAddress(registry: ModuleRegistry): bigint {
  const module = registry.loadBytes("m", POINTING);
  assertEquals(module.imports().map(({ name, from }) => [name, from]), [["given", "given"]]);
  using lease = module.addressOf("pointer")!;
  assertEquals(readWord(lease.address), module.imports()[0].address);
  return readWord(lease.address);
}

Deno.test("an address is used unchanged, up to 64 bits", async () => {
  for (const address of [0x1234n, 0xffff_ffff_ffff_ffffn]) {
    await using registry = new ModuleRegistry({ imports: { given: address } });
    assertEquals(importedAddress(registry), address);
  }
});

Deno.test("a number that is not an address is a TypeError", () => {
  for (const given of [-1n, 1n << 64n]) {
    assertThrows(() => new ModuleRegistry({ imports: { given } }), TypeError, "'given'");
  }
});

Deno.test("values that are not imports are refused when they are given, and undefined counts as absent", () => {
  const definition = { parameters: [], result: "void" };
  const wrong: [given: unknown, message: string][] = [
    [5, "5 is not a 64-bit address (bigint), a pointer, a Deno.UnsafeCallback or"],
    ["0x10", "the string '0x10' is not"],
    [null, "null is not"],
    [() => {}, "a function is not"],
    [{ ...definition, calback: () => {} }, "its callback is undefined, not a function"],
    [{ ...definition, callback: 5 }, "its callback is 5, not a function"],
  ];
  for (const [given, message] of wrong) {
    const imports = { given } as never;
    assertThrows(() => new ModuleRegistry({ imports }), TypeError, `Cannot import 'given': ${message}`);
  }
  new ModuleRegistry({ imports: { given: undefined } as never })[Symbol.dispose]();
});

Deno.test("a pointer object is an address", async () => {
  const pointer = Deno.UnsafePointer.create(0x4321n)!;
  await using registry = new ModuleRegistry({ imports: { given: pointer } });
  assertEquals(importedAddress(registry), 0x4321n);
});

Deno.test("names of Object.prototype are names like others", () => {
  using registry = new ModuleRegistry({ imports: {} });
  const bytes = version({ functions: { f: "constructor", g: "toString" } });
  const error = assertLoadError(() => registry.loadBytes("m", bytes), "UndefinedSymbol");
  assertEquals(error.data.symbols, ["constructor", "toString"]);
});

Deno.test("an UnsafeCallback is called, and the user still closes it", () => {
  const callback = new Deno.UnsafeCallback({ parameters: [], result: "i32" }, () => 12);
  {
    using registry = new ModuleRegistry({ imports: { given: callback } });
    const module = registry.loadBytes("m", version({ functions: { run: "given" } }));
    assertEquals(module.getFunction("run", INT)!(), 12);
  }
  callback.close();
});

Deno.test("a typed function becomes a callback that is closed with the registry", () => {
  const seen: number[] = [];
  using registry = new ModuleRegistry({
    imports: {
      given: {
        parameters: ["i32", "f64"],
        result: "f64",
        callback: (left: number, right: number) => (seen.push(left), left + right),
      },
      never: { parameters: [], result: "void", callback: () => {} },
    },
  });
  const module = registry.loadBytes("m", version({ functions: { run: "given" } }));
  const run = module.getFunction("run", { parameters: ["i32", "f64"], result: "f64" })!;
  assertEquals(run(2, 0.5), 2.5);
  assertEquals(seen, [2]);
});

Deno.test("a typed function lives until the last module that imports it is freed", async () => {
  const registry = new ModuleRegistry({
    imports: { given: { parameters: [], result: "i32", callback: () => 7 } },
    libraries: NO_PROC ? [] : ["libc.so.6"],
  });
  const module = registry.loadBytes(
    "m",
    version({ functions: { run: "given", end: "given" }, fini: ["end"] }),
  );
  const lease = module.addressOf("run")!;
  registry[Symbol.dispose]();
  // The module is closed, but its memory is still in use, and its finaliser has not run.
  lease[Symbol.dispose]();
  await module.closeAsync();
  await new Promise((resolve) => setTimeout(resolve, 5));
});

Deno.test("one callback serves all modules that import it", () => {
  using registry = new ModuleRegistry({
    imports: { given: { parameters: [], result: "i32", callback: () => 3 } },
  });
  const modules = ["a", "b"].map((name) =>
    registry.loadBytes(name, version({ functions: { run: "given" } }))
  );
  assertEquals(modules[0].imports()[0].address, modules[1].imports()[0].address);
  modules[0].close();
  assertEquals(modules[1].getFunction("run", INT)!(), 3);
});

Deno.test("a module that imports a callback is not shared", () => {
  using registry = new ModuleRegistry({
    imports: { given: { parameters: [], result: "i32", callback: () => 3 } },
  });
  const module = registry.loadBytes("m", version({ functions: { run: "given" } }));
  const error = assertLoadError(() => module.share(), "Unsupported", { path: "m" });
  assert(error.message.includes("'given'"), error.message);
  const plain = registry.loadBytes("plain", version({ functions: { run: 1 } }));
  assert(plain.share().control instanceof SharedArrayBuffer);
});

Deno.test("a callback that is closed cannot be held, and says what to do", () => {
  const given = new GivenImports({ given: { parameters: [], result: "i32", callback: () => 3 } });
  const { provider } = given.find("given")!;
  given[Symbol.dispose]();
  const error = assertLoadError(() => provider!.hold({ description: "module 'm'" }), "Closed");
  assert(error.message.includes("callback 'given'"), error.message);
  assert(error.hint.includes("a registry that is open"), error.hint);
});

Deno.test("a signature that is not one is refused when the registry is created", () => {
  const given = { parameters: ["nonsense" as "i32"], result: "i32" as const, callback: () => 3 };
  assertThrows(() => new ModuleRegistry({ imports: { given } }), TypeError, "function 'given': parameter 1");
});
