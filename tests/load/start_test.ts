import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { compileModule, runModules } from "../support/compiled_module.ts";
import { testWithCompilers } from "../support/compilers.ts";
import {
  assertLoadError,
  checkLoadError,
  hostBuilder,
  JUMP_ADDRESS,
  LOG_ADDRESS,
  machineCode,
  WatchedAllocator,
} from "../support/testing.ts";

/** A number that native code can write to: each function appends its digit. */
class Log {
  readonly #number = new BigInt64Array(1);

  readonly resolver = (name: string): bigint | null =>
    name === "log" ? Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#number)) : null;

  /** The digits so far. */
  get digits(): number {
    return Number(this.#number[0]);
  }
}

/** An entry of an array: the digit that its function appends, or a plain value. */
type Entry = number | { value: bigint } | { codeOffset: number };

/** A module with arrays of functions that append digits to `log`, in sections of the given names. */
function moduleWith(
  ...sections: readonly (readonly [name: string, entries: readonly Entry[]])[]
): Uint8Array {
  const builder = hostBuilder();
  const stride = 48;
  const digits = sections.flatMap(([, entries]) => entries).filter((entry) => typeof entry === "number");
  const code = new Uint8Array(stride * (digits.length + 1));
  digits.forEach((digit, index) => code.set(machineCode.append(digit), stride * index));
  const seven = stride * digits.length;
  code.set(machineCode.returns(7), seven);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.symbol({ name: "seven", type: SymbolType.Function, value: seven });
  const start = builder.symbol({ name: "start", type: SymbolType.None, binding: Binding.Local });
  const log = builder.symbol({ name: "log", type: SymbolType.Data, defined: false });
  digits.forEach((_, index) =>
    builder.relocation({ offset: stride * index + LOG_ADDRESS, symbol: log, type: RelocationType.Abs64 })
  );
  let offset = 4096;
  let used = 0;
  for (const [name, entries] of sections) {
    const words = new BigUint64Array(entries.length);
    entries.forEach((entry, index) => {
      if (typeof entry === "object" && "value" in entry) {
        words[index] = entry.value;
        return;
      }
      const addend = typeof entry === "number" ? stride * used++ : entry.codeOffset;
      builder.relocation({ offset: offset + 8 * index, symbol: start, type: RelocationType.Abs64, addend });
    });
    const bytes = new Uint8Array(words.buffer);
    builder.section({ name, type: SectionType.Data, alignment: 8, bytes });
    offset += bytes.length;
  }
  return builder.build();
}

const SEVEN = { parameters: [], result: "i32" } as const;

Deno.test("initialisers run once, in order, before any other call", () => {
  const log = new Log();
  using module = new ModuleLoader().loadBytes(moduleWith([".init_array", [1, 2, 3]]), log.resolver);
  assertEquals(log.digits, 123);
  assertEquals(module.getFunction("seven", SEVEN)!(), 7);
  assertEquals(log.digits, 123);
});

Deno.test("finalisers run once, in reverse order, when the module is closed", () => {
  const log = new Log();
  const module = new ModuleLoader().loadBytes(moduleWith([".fini_array", [1, 2, 3]]), log.resolver);
  assertEquals(log.digits, 0);
  module.close();
  assertEquals(log.digits, 321);
  module.close();
  assertEquals(log.digits, 321);
});

Deno.test("arrays of one kind run one after another, .preinit_array first", () => {
  const log = new Log();
  const bytes = moduleWith(
    [".fini_array", [6]],
    [".init_array", [2]],
    [".fini_array", [5]],
    [".preinit_array", [1]],
    [".init_array", [3]],
  );
  const module = new ModuleLoader().loadBytes(bytes, log.resolver);
  assertEquals(log.digits, 123);
  module.close();
  assertEquals(log.digits, 12356);
});

Deno.test("entries 0 and −1 and a part of an entry at the end are not functions", () => {
  const log = new Log();
  const none = [{ value: 0n }, { value: (1n << 64n) - 1n }];
  const module = new ModuleLoader().loadBytes(
    moduleWith([".init_array", [none[1], 1, none[0], 2, none[0]]], [".fini_array", [none[1], 3]]),
    log.resolver,
  );
  module.close();
  assertEquals(log.digits, 123);

  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: machineCode.returns(7) });
  builder.section({ name: ".init_array", type: SectionType.Data, bytes: new Uint8Array(7).fill(0x55) });
  new ModuleLoader().loadBytes(builder.build()).close();
});

Deno.test("a section of another name is not an array, one in zeroed data is empty", () => {
  const log = new Log();
  using _ = new ModuleLoader().loadBytes(
    moduleWith([".init", [1]], [".init_array.0", [2]], ["init_array", [3]]),
    log.resolver,
  );
  assertEquals(log.digits, 0);
  const builder = hostBuilder();
  builder.section({ name: ".init_array", type: SectionType.Bss, virtualSize: 64 });
  new ModuleLoader().loadBytes(builder.build()).close();
});

for (const name of [".preinit_array", ".init_array", ".fini_array"]) {
  Deno.test(`an entry of ${name} outside the module's code is refused before any function runs`, () => {
    const outside: Entry[] = [
      { value: 1n },
      { value: 0x7fff_ffff_0000n },
      { value: 1n << 63n },
      { codeOffset: -1 },
      { codeOffset: 2 * 48 }, // the end of the code, inside its last page
      { codeOffset: 4095 },
      { codeOffset: 4096 }, // data
    ];
    for (const entry of outside) {
      const log = new Log();
      const allocator = new WatchedAllocator();
      const loader = new ModuleLoader({ allocator });
      const bytes = name === ".fini_array"
        ? moduleWith([".init_array", [1]], [name, [entry]])
        : moduleWith([name, [1, entry]]);
      const error = assertLoadError(
        () => loader.loadBytes(bytes, log.resolver, { name: "bad.smf" }),
        "InvalidFormat",
        {
          section: name,
          path: "bad.smf",
        },
      );
      assert(error.data.range !== undefined && error.data.value !== undefined, error.message);
      assertEquals(log.digits, 0, "something ran");
      assertEquals(allocator.live.size, 0);
      assertEquals(allocator.mappings(), []);
    }
  });
}

Deno.test("asynchronous loads run initialisers, and closing asynchronously finalisers", async () => {
  using directory = Object.assign(new DisposableStack(), { path: Deno.makeTempDirSync() });
  directory.defer(() => Deno.removeSync(directory.path, { recursive: true }));
  const path = `${directory.path}/a.smf`;
  Deno.writeFileSync(path, moduleWith([".init_array", [1]], [".fini_array", [2]]));
  const log = new Log();
  const module = await new ModuleLoader().loadAsync(path, log.resolver);
  assertEquals(log.digits, 1);
  await module.closeAsync();
  assertEquals(log.digits, 12);
  Deno.writeFileSync(path, moduleWith([".init_array", [1, { value: 1n }]]));
  checkLoadError(
    await assertRejects(() => new ModuleLoader().loadAsync(path, log.resolver)),
    "InvalidFormat",
    {
      section: ".init_array",
      path,
    },
  );
  assertEquals(log.digits, 12);
});

Deno.test("a registry runs a module's initialisers once, its finalisers when it is disposed", () => {
  const log = new Log();
  const registry = new ModuleRegistry({ resolver: log.resolver });
  registry.loadBytes("m", moduleWith([".init_array", [1]], [".fini_array", [2]]));
  registry.loadBytes("m", new Uint8Array(0));
  assertEquals(log.digits, 1);
  registry[Symbol.dispose]();
  assertEquals(log.digits, 12);
});

Deno.test("an initialiser that throws through a callback ends the load, and no finaliser runs", () => {
  const mine = new Error("mine");
  const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
    throw mine;
  });
  const log = new Log();
  const builder = hostBuilder();
  const code = new Uint8Array(96);
  code.set(machineCode.jump());
  code.set(machineCode.append(1), 48);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: ".init_array", type: SectionType.Data, bytes: new Uint8Array(8), alignment: 8 });
  builder.section({ name: ".fini_array", type: SectionType.Data, bytes: new Uint8Array(8), alignment: 8 });
  const start = builder.symbol({ name: "start", type: SymbolType.Function });
  const symbol = builder.symbol({ name: "callback", type: SymbolType.Function, defined: false });
  const number = builder.symbol({ name: "log", type: SymbolType.Data, defined: false });
  builder.relocation({ offset: JUMP_ADDRESS, symbol, type: RelocationType.Abs64 });
  builder.relocation({ offset: 48 + LOG_ADDRESS, symbol: number, type: RelocationType.Abs64 });
  builder.relocation({ offset: 4096, symbol: start, type: RelocationType.Abs64 });
  builder.relocation({ offset: 4104, symbol: start, type: RelocationType.Abs64, addend: 48 });
  const allocator = new WatchedAllocator();
  const address = Deno.UnsafePointer.value(callback.pointer);
  const thrown = assertThrows(() =>
    new ModuleLoader({ allocator }).loadBytes(
      builder.build(),
      (name) => name === "callback" ? address : log.resolver(name),
    )
  );
  callback.close();
  assertStrictEquals(thrown, mine);
  assertEquals(log.digits, 0);
  assertEquals(allocator.live.size, 0);
  assertEquals(allocator.mappings(), []);
});

const ARGUMENTS = `
  #include <stdlib.h>
  #include <string.h>
  static int count, variables;
  static char **values, **environment;
  __attribute__((constructor)) static void start(int argc, char **argv, char **envp) {
    count = argc; values = argv; environment = envp;
    /* Go's runtime looks for the environment behind argv. */
    for (char **each = argv + argc + 1; *each; each++) variables++;
  }
  int has_arguments(void) { return count > 0 && values && values[0] && !values[count]; }
  int last_is_plan(void) { return values[count - 1][0] == '{'; }
  int has_variables(void) { return variables > 0; }
  int has_own_variable(void) {
    for (char **each = environment; *each; each++) if (!strcmp(*each, "SMF_OWN=yes")) return 1;
    return 0;
  }
`;

testWithCompilers(["gcc"], "initialisers get argc, argv and envp of the program", async (folder) => {
  const module = await compileModule(folder, "arguments", ARGUMENTS);
  const plan = {
    modules: [module],
    libraries: ["libc.so.6"],
    calls: ["has_arguments", "last_is_plan", "has_variables", "has_own_variable"],
  };
  const { code, signal, stdout, stderr } = await runModules(plan, { SMF_OWN: "yes" });
  assertEquals([code, signal, stderr], [0, null, ""]);
  assertEquals(stdout, "1\n1\n1\n1\nclosed\n");
});
