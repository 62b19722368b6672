/**
 * Tests of types: every `@ts-expect-error` is a test, since without an error in
 * the next line the type check fails. Nothing here runs native code.
 */
import {
  type Callable,
  LiveLibrary,
  LoadedModule,
  type ModuleRegistry,
  type TypedLibrary,
} from "../../mod.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles only if the parameter is `true`. */
function holds<T extends true>(): T | undefined {
  return undefined;
}

const DEFINITIONS = {
  nothing: { parameters: [], result: "void" },
  add: { parameters: ["i32", "i32"], result: "i32" },
  wide: { parameters: ["i64", "usize"], result: "u64" },
  real: { parameters: ["f32", "f64"], result: "f64" },
  flag: { parameters: ["bool"], result: "bool" },
  bytes: { parameters: ["buffer", "usize"], result: "pointer" },
  callback: { parameters: ["function"], result: "function" },
  struct: { parameters: [{ struct: ["u8", "f64"] }], result: { struct: ["i64"] } },
  later: { parameters: ["i32"], result: "i32", nonblocking: true },
  maybe: { parameters: ["i32"], result: "i32", optional: true },
  renamed: { name: "other", parameters: ["i32"], result: "i32" },
  count: { type: "i32" },
  big: { type: "u64" },
  place: { type: "pointer" },
  maybeCount: { type: "i32", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

type Expected = Deno.StaticForeignLibraryInterface<typeof DEFINITIONS>;

/** Checked by the compiler, never called. */
export function compiles(module: LoadedModule, registry: ModuleRegistry): void {
  const { symbols } = module.bind(DEFINITIONS);
  holds<Equal<typeof symbols, Expected>>();

  // Definitions that are written in place give the same types without `as const`.
  const inPlace = module.bind({
    add: { parameters: ["i32", "i32"], result: "i32" },
    count: { type: "i32" },
  }).symbols;
  holds<Equal<typeof inPlace.add, (...parameters: [number, number]) => number>>();
  holds<Equal<typeof inPlace.count, number>>();

  holds<Equal<ReturnType<typeof symbols.add>, number>>();
  holds<Equal<ReturnType<typeof symbols.wide>, bigint>>();
  holds<Equal<ReturnType<typeof symbols.flag>, boolean>>();
  holds<Equal<ReturnType<typeof symbols.bytes>, Deno.PointerValue>>();
  holds<Equal<ReturnType<typeof symbols.later>, Promise<number>>>();
  holds<Equal<ReturnType<typeof symbols.nothing>, void>>();
  holds<Equal<typeof symbols.count, number>>();
  holds<Equal<typeof symbols.big, bigint>>();
  holds<Equal<typeof symbols.maybe, Expected["maybe"]>>();

  // @ts-expect-error a wrong argument type
  symbols.add("1", 2);
  // @ts-expect-error too few arguments
  symbols.add(1);
  // @ts-expect-error too many arguments
  symbols.add(1, 2, 3);
  // @ts-expect-error a wrong argument type
  symbols.flag(1);
  // @ts-expect-error a wrong argument type
  symbols.bytes("text", 1n);
  // @ts-expect-error a struct is given as bytes
  symbols.struct({ a: 1 });
  // @ts-expect-error a wrong result type
  const _text: string = symbols.add(1, 2);
  // @ts-expect-error a 64-bit result is a bigint
  const _narrow: number = symbols.wide(1n, 1n);
  // @ts-expect-error a nonblocking function returns a promise
  const _now: number = symbols.later(1);
  // @ts-expect-error a missing symbol
  symbols.missing();
  // @ts-expect-error an optional symbol may be null
  symbols.maybe(1);
  // @ts-expect-error the key counts, not the name in the file
  symbols.other(1);
  // @ts-expect-error a static is not a function
  symbols.count();
  // @ts-expect-error a static has the type of its definition
  const _static: string = symbols.count;
  // @ts-expect-error symbols cannot be replaced
  symbols.count = 1;

  const add = module.getFunction("add", { parameters: ["i32", "i32"], result: "i32" });
  holds<Equal<typeof add, ((...parameters: [number, number]) => number) | null>>();
  holds<Equal<typeof add, Callable<typeof DEFINITIONS.add> | null>>();
  // @ts-expect-error it may be null
  add(1, 2);
  // @ts-expect-error a wrong argument type
  add?.("1", 2);
  // @ts-expect-error a wrong result type
  const _sum: string | undefined = add?.(1, 2);
  // @ts-expect-error a definition has parameters
  module.getFunction("add", { result: "i32" });
  // @ts-expect-error there is no such type
  module.getFunction("add", { parameters: ["i31"], result: "i32" });
  // @ts-expect-error a static is not a function's definition
  module.getFunction("add", { type: "i32" });
  // @ts-expect-error there is no such path
  module.getFunction("add", DEFINITIONS.add, { callPath: "slow" });

  const later = module.getFunction("later", { parameters: [], result: "f64", nonblocking: true })!;
  holds<Equal<ReturnType<typeof later>, Promise<number>>>();

  const main = module.entryPoint({ parameters: ["i32", "pointer"], result: "i32" });
  holds<Equal<typeof main, ((...parameters: [number, Deno.PointerValue]) => number) | null>>();
  // @ts-expect-error a wrong argument type
  main?.(0n, null);

  // Without definitions TypeScript knows the names that were given, and nothing of their types.
  const all = module.bind();
  const sum: number = all.symbols.add(1, "2");
  const size: bigint = all.symbols.size;
  const reason: string | undefined = all.leftOut.get("printf");
  void [sum, size, reason];
  const some = module.bind(["add", "size"]).symbols;
  holds<Equal<keyof typeof some, "add" | "size">>();
  some.add(1, 2);
  // @ts-expect-error a name that was not given
  some.mul(1, 2);
  // @ts-expect-error symbols cannot be replaced
  some.add = 1;
  const names: string[] = ["add"];
  module.bind(names).symbols.whatever();
  module.bind(undefined, { callPath: "fast" }).symbols.add();
  const typed = module.getFunction("add");
  // @ts-expect-error it may be null
  typed(1, 2);
  typed?.(1, 2);
  // @ts-expect-error there is no such way to compare
  module.bind({ add: DEFINITIONS.add }, { types: "none" });
  // @ts-expect-error names are strings
  module.bind([1]);

  const library = registry.open("a.smf");
  library.symbols.step(1n).then();
  holds<Equal<typeof library, TypedLibrary>>();
  const named = registry.open("a.smf", ["step", "count"]);
  holds<Equal<keyof typeof named.symbols, "step" | "count">>();
  // @ts-expect-error a name that was not given
  named.symbols.other();
  const defined: LiveLibrary<typeof DEFINITIONS> = registry.open("a.smf", DEFINITIONS);
  holds<Equal<typeof defined.symbols, Expected>>();
  registry.open("a.smf", undefined, { types: "check", pin: true });
  const attached = LiveLibrary.attach(library.share(), ["step"]);
  holds<Equal<keyof typeof attached.symbols, "step">>();
  // @ts-expect-error an attached module is not bound yet
  LoadedModule.attach(module.share(), { types: "ignore" });

  // @ts-expect-error only loaders and registries make handles
  new (module.constructor as typeof LoadedModule)();
  // @ts-expect-error a module's facts cannot be changed
  module.path = "elsewhere";
}

Deno.test("definitions decide the types of bound symbols, as they do for Deno.dlopen", () => {
  // The type check of this file is the test.
  void compiles;
});
