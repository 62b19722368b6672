// Every call of the public API that takes options refuses what it does not know.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  integrityOf,
  linkObjects,
  LiveLibrary,
  LoadedModule,
  ModuleLoader,
  ModuleRegistry,
  parseSmf,
  SmfBuilder,
} from "../mod.ts";
import { ANSWER, answering, nativeTest } from "./support/modules.ts";
import { RegistryDirectory, value } from "./support/registries.ts";

/** What a JavaScript program may pass, whatever the types say. */
// deno-lint-ignore no-explicit-any
type Anything = any;

const BYTES = answering(7);
const DEFINITIONS = { value: ANSWER };

/** Each call with its options; all but the constructors work on a registry with a module "m". */
const CALLS: Readonly<Record<string, (options: Anything, registry: ModuleRegistry) => unknown>> = {
  "new ModuleRegistry": (options) => new ModuleRegistry(options),
  "registry.load": (options, registry) => registry.load("m.smf", options),
  "registry.loadBytes": (options, registry) => registry.loadBytes("m", BYTES, options),
  "registry.open": (options, registry) => registry.open("m", DEFINITIONS, options),
  "registry.unload": (options, registry) => registry.unload("m", options),
  "registry.reload": (options, registry) => registry.reload("m", options),
  "registry.reloadAll": (options, registry) => registry.reloadAll(["m"], options),
  "registry.rollback": (options, registry) => registry.rollback("m", options),
  "registry.watch": (options, registry) => registry.watch(options),
  "module.getFunction": (options, registry) =>
    registry.loadBytes("m", BYTES).getFunction("value", ANSWER, options),
  "module.entryPoint": (options, registry) => registry.loadBytes("m", BYTES).entryPoint(ANSWER, options),
  "module.bind": (options, registry) => registry.loadBytes("m", BYTES).bind(DEFINITIONS, options),
  "LoadedModule.attach": (options, registry) =>
    LoadedModule.attach(registry.loadBytes("m", BYTES).share(), options),
  "LiveLibrary.attach": (options, registry) =>
    LiveLibrary.attach(registry.open("m", DEFINITIONS).share(), DEFINITIONS, options),
  "new ModuleLoader": (options) => new ModuleLoader(options),
  "loader.load": (options) => new ModuleLoader().load("m.smf", undefined, options),
  "loader.loadBytes": (options) => new ModuleLoader().loadBytes(BYTES, undefined, options),
  "linkObjects": (options) => linkObjects([], options),
  "parseSmf": (options) => parseSmf(BYTES, options),
  "SmfBuilder.from": (options) => SmfBuilder.from(parseSmf(BYTES), options),
};

for (const [name, call] of Object.entries(CALLS)) {
  nativeTest(`${name} refuses options that it does not have, and what is not an object`, async () => {
    await using registry = new ModuleRegistry();
    registry.loadBytes("m", BYTES);
    const error = assertThrows(
      () => call({ nonsense: 1 }, registry),
      TypeError,
      "there is no option 'nonsense'",
    );
    assertEquals(/the (only option is|options are) '\w+'/.test(error.message), true, error.message);
    for (const wrong of [null, "text", 5, [], () => {}]) {
      assertThrows(() => call(wrong, registry), TypeError, "not an object");
    }
    assertEquals(registry.modules(), ["m"]);
  });
}

const WRONG: readonly [call: string, options: object, message: string][] = [
  [
    "registry.reload",
    { state: "Carry" },
    "'fresh' or 'carry' or 'keep' or 'keep-or-carry' (did you mean 'carry'?)",
  ],
  ["registry.reloadAll", { compatibility: "loose" }, "'strict' or 'allow'"],
  ["registry.rollback", { verify: true }, "option 'verify' is true, not a function"],
  ["registry.watch", { state: "Carry" }, "(did you mean 'carry'?)"],
  ["registry.watch", { debounce: -1 }, "not a number from 0 on"],
  ["registry.watch", { debounce: NaN }, "not a number from 0 on"],
  ["registry.watch", { paths: "m.smf" }, "the string 'm.smf', not an array of paths and URLs"],
  ["registry.watch", { signal: new AbortController() }, "not an AbortSignal"],
  ["module.bind", { callPath: "quick" }, "the string 'quick', not 'auto' or 'fast' or 'pointer'"],
  ["module.getFunction", { callpath: "fast" }, "'callpath' (did you mean 'callPath'?)"],
  ["LiveLibrary.attach", { callPath: "Fast" }, "(did you mean 'fast'?)"],
  ["new ModuleRegistry", { callPath: "quick" }, "'auto' or 'fast' or 'pointer'"],
  [
    "new ModuleRegistry",
    { libraries: "libc.so.6" },
    "the string 'libc.so.6', not an array of paths and URLs",
  ],
  ["new ModuleRegistry", { libraries: ["libc.so.6", 5] }, "an array of string and number"],
  ["new ModuleRegistry", { lib: [] }, "'lib' (did you mean 'libraries'?)"],
  ["new ModuleRegistry", { library: [] }, "'library' (did you mean 'libraries'?)"],
  ["new ModuleRegistry", { imports: new Map() }, "not an object with a value for each name"],
  ["new ModuleRegistry", { allowImports: "*" }, "not an array of strings"],
  ["new ModuleRegistry", { resolver: {} }, "not a function"],
  ["new ModuleRegistry", { allocator: {} }, "not a MemoryAllocator"],
  ["new ModuleRegistry", { keepVersions: "2" }, "not a number"],
  ["registry.load", { integrity: 5 }, "option 'integrity' is 5, not a string"],
  ["registry.load", { pin: "yes" }, "not true or false"],
  ["registry.loadBytes", { state: "carry" }, "there is no option 'state'"],
  ["registry.unload", { forced: true }, "(did you mean 'force'?)"],
  ["registry.reload", { bytes: "abc" }, "not a Uint8Array"],
  ["loader.load", { integrty: "sha256-" }, "(did you mean 'integrity'?)"],
  ["linkObjects", { export: ["a"] }, "'export' (did you mean 'exports'?)"],
  ["linkObjects", { exports: "a" }, "not an array of strings"],
  ["linkObjects", { unwind: "always" }, "the string 'always', not true or false"],
  ["linkObjects", { layout: "P128" }, "not 'H96' or 'H72'"],
  ["SmfBuilder.from", { compression: "gzip" }, "'keep' or 'zstd' or 'none'"],
];

for (const [call, options, message] of WRONG) {
  nativeTest(`${call} refuses ${Deno.inspect(options, { breakLength: Infinity })}`, async () => {
    await using registry = new ModuleRegistry();
    registry.loadBytes("m", BYTES);
    assertThrows(() => CALLS[call](options, registry), TypeError, message);
  });
}

nativeTest("a load in the background rejects for the same options", async () => {
  using place = new RegistryDirectory();
  const path = place.write("m.smf", BYTES);
  const wrong = { integrety: "" } as Anything;
  await assertRejects(() => place.registry.loadAsync(path, wrong), TypeError, "(did you mean 'integrity'?)");
  await assertRejects(() => new ModuleLoader().loadAsync(path, undefined, wrong), TypeError, "'integrety'");
  assertEquals(place.registry.modules(), []);
});

nativeTest("options in the place of a loader's resolver are refused, not ignored", () => {
  const options = { integrity: integrityOf(new Uint8Array()) } as Anything;
  assertThrows(() => new ModuleLoader().loadBytes(BYTES, options), TypeError, "options come after it");
});

nativeTest("an option that is undefined counts as absent", () => {
  using registry = new ModuleRegistry({ imports: undefined, libraries: undefined, keepVersions: Infinity });
  registry.loadBytes("m", BYTES, { integrity: undefined, pin: undefined });
  const next = registry.reload("m", { bytes: answering(8), state: undefined, verify: undefined });
  assertEquals(value(next), 8);
});

nativeTest("a module that is not loaded takes the options of reload", () => {
  using registry = new ModuleRegistry();
  assertEquals(value(registry.reload("m", { bytes: BYTES, state: "carry", callPath: "pointer" })), 7);
});

Deno.test("a wrong algorithm of an integrity string is refused", () => {
  const algorithm = "sha-256" as Anything;
  assertThrows(() => integrityOf(new Uint8Array(), algorithm), TypeError, "(did you mean 'sha256'?)");
});
