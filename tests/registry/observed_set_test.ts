// What a registry says of its modules, and callbacks that it makes.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";

const NUMBER = { parameters: ["i32"], result: "i32" } as const;

Deno.test("a callback is called by its pointer until it is disposed of, which may be done again", () => {
  using registry = new ModuleRegistry();
  const callback = registry.callback({ ...NUMBER, callback: (value: number) => value * 2 });
  const call = new Deno.UnsafeFnPointer(callback.pointer as Deno.PointerObject<never>, NUMBER);
  assertEquals(call.call(21), 42);
  assertEquals([callback.ref(), callback.unref()], [1, 0]);
  callback[Symbol.dispose]();
  callback[Symbol.dispose]();
});

Deno.test("a callback may take any number of values", () => {
  using registry = new ModuleRegistry();
  for (let count = 0; count < 8; count++) {
    const parameters = Array<"i32">(count).fill("i32");
    using callback = registry.callback({
      parameters,
      result: "i32",
      callback: (...values: number[]) => values.reduce((sum, value) => 10 * sum + value, values.length),
    });
    const call = new Deno.UnsafeFnPointer(callback.pointer as Deno.PointerObject<never>, {
      parameters,
      result: "i32" as const,
    });
    const values = parameters.map((_, index) => index + 1);
    assertEquals(call.call(...values as never[]), values.reduce((sum, value) => 10 * sum + value, count));
  }
});

Deno.test("a definition that is not one of a callback is refused, with the reason", () => {
  using registry = new ModuleRegistry();
  const refused = (definition: unknown, reason: RegExp): void => {
    const { message } = assertThrows(() => registry.callback(definition as never), TypeError);
    assertMatch(message, reason);
  };
  refused(undefined, /^Cannot make callback: undefined is not a function$/);
  refused({ ...NUMBER, callback: 5 }, /^Cannot make callback: 5 is not a function$/);
  refused({ parameters: ["i33"], result: "i32", callback: () => 0 }, /i33/);
  refused(
    { parameters: ["cstring"], result: "i32", callback: () => 0 },
    /^Cannot make callback 'callback': cstring/,
  );
});

Deno.test("the stack of such an error begins with the caller", () => {
  using registry = new ModuleRegistry();
  const { stack } = assertThrows(() => registry.callback(undefined as never), TypeError);
  assert(stack!.split("\n")[1].includes("observed_set_test.ts"), stack);
});
