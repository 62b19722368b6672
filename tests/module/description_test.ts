import { assert, assertEquals } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { Binding, HeaderFlag } from "../../src/smf/mod.ts";
import {
  ANSWER,
  answering,
  build,
  importing,
  nativeTest,
  ROUTINES,
  sample,
  word,
} from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";

const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;

nativeTest("a module has its path and the facts of its header", () => {
  const path = Deno.makeTempFileSync({ suffix: ".smf" });
  Deno.writeFileSync(
    path,
    build({
      routines: ROUTINES,
      flags: HeaderFlag.Reloadable | HeaderFlag.Pic,
      sourceHash: 0xfeed_0000_0000_0001n,
    }),
  );
  using module = new ModuleLoader().load(path);
  assertEquals([module.path, module.version, module.isOpen], [path, 1, true]);
  assertEquals([module.header.layout, module.header.symbolCount], ["H96", Object.keys(ROUTINES).length]);
  assertEquals([module.isReloadable(), module.sourceHash()], [true, 0xfeed_0000_0000_0001n]);
  assertEquals(module.symbols.length, Object.keys(ROUTINES).length);
  Deno.removeSync(path);
});

nativeTest("a module without the flag and the hash is not reloadable and has no source hash", () => {
  using module = new ModuleLoader().loadBytes(sample());
  assertEquals([module.isReloadable(), module.sourceHash(), module.path], [false, 0n, "(bytes)"]);
});

nativeTest("exports are the defined Global symbols, in file order, with type and size", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("provider", answering(1, "other"));
  const module = registry.loadBytes(
    "m",
    build({
      routines: {
        b: { hex: "ff 25 00 00 00 00", refersByGot: { 2: "other" } },
        a: ROUTINES.add32,
        hidden: { hex: "c3", binding: Binding.Local },
        weak: { hex: "c3", binding: Binding.Weak },
      },
      data: { datum: word(1n) },
    }),
  );
  assertEquals(module.exports(), [
    { name: "b", type: "Function", size: 6 },
    { name: "a", type: "Function", size: 4 },
    { name: "datum", type: "Data", size: 8 },
  ]);
});

nativeTest(
  "imports name the provider and the address of each import, also of a weak one without a provider",
  () => {
    using registry = new ModuleRegistry();
    registry.loadBytes("provider", answering(3));
    const module = registry.loadBytes("importer", importing("value"));
    const [record, ...more] = module.imports();
    assertEquals([record.name, record.from, more.length], ["value", "module 'provider'", 0]);
    assertEquals(record.address, registry.resolveSymbol("value"));
    assertEquals(registry.loadBytes("plain", answering(1)).imports().length, 0);
  },
);

nativeTest("callPaths lists the bound functions, in the order of binding", () => {
  using module = new ModuleLoader().loadBytes(sample());
  assertEquals(module.callPaths(), []);
  module.getFunction("add64", { parameters: ["i64", "i64"], result: "i64" });
  module.bind({ add32: ADD, nothing: { parameters: [], result: "void", nonblocking: true } });
  assertEquals(module.callPaths(), [
    { name: "add64", path: "fast" },
    { name: "add32", path: "fast" },
    { name: "nothing", path: "pointer" },
  ]);
});

nativeTest("after close the facts about the file can be read, everything that needs memory throws", () => {
  const module = new ModuleLoader().loadBytes(sample());
  module.close();
  assertEquals([module.isOpen, module.path, module.version], [false, "(bytes)", 1]);
  assertEquals([module.header.layout, module.isReloadable(), module.sourceHash()], ["H96", false, 0n]);
  assert(module.exports().length > 5 && module.symbols.length > 5);
  assertEquals(module.imports().length, 0);
  for (
    const use of [
      () => module.codeMemory,
      () => module.dataMemory,
      () => module.addressOf("add32"),
      () => module.bind({}),
      () => module.getFunction("missing", ANSWER),
      () => module.share(),
    ]
  ) assertLoadError(use, "Closed");
});
