import { assertEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import {
  ANSWER,
  answering,
  build,
  importing,
  isMapped,
  nativeTest,
  ROUTINES,
  runChild,
  turn,
} from "../support/modules.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";

nativeTest("versions count up from 1, module by module", () => {
  using registry = new ModuleRegistry();
  const numbers = [
    registry.loadBytes("a", answering(1)).version,
    registry.reload("a", { bytes: answering(2) }).version,
    registry.loadBytes("b", answering(1)).version,
    registry.reload("a", { bytes: answering(3) }).version,
    registry.loadBytes("a", answering(4)).version,
  ];
  assertEquals(numbers, [1, 2, 1, 3, 3]);
  assertEquals(new ModuleLoader().loadBytes(answering(1)).close(), undefined);
});

nativeTest("an initialiser that throws through a callback ends the load, and nothing stays", () => {
  const allocator = new FailingAllocator();
  const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
    throw new RangeError("from the initialiser");
  });
  const address = BigInt(Deno.UnsafePointer.value(callback.pointer));
  const bytes = build({
    routines: { init: { hex: "48 83 ec 08 ff 15 00 00 00 00 48 83 c4 08 c3", refersByGot: { 6: "tell" } } },
    init: ["init"],
  });
  assertThrows(() => new ModuleLoader({ allocator }).loadBytes(bytes, () => address), RangeError);
  assertEquals(allocator.live.size, 0);
  using registry = new ModuleRegistry({ allocator, resolver: () => address });
  assertThrows(() => registry.loadBytes("m", bytes), RangeError);
  assertEquals([registry.modules(), allocator.live.size], [[], 0]);
  callback.close();
});

nativeTest("exports of type Function and Data can be imported, Types and Local symbols cannot", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", build({ routines: ROUTINES, types: ["Point"] }));
  registry.loadBytes("ok", importing("add32"));
  const error = assertThrows(() => registry.loadBytes("no", importing("Point")), LoadError);
  assertEquals(error.kind, "UndefinedSymbol");
});

nativeTest("old versions end one by one, as soon as nothing holds them", async () => {
  const allocator = new FailingAllocator();
  {
    await using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
    const handles = [registry.loadBytes("m", answering(0))];
    for (let number = 1; number < 5; number++) {
      handles.push(registry.reload("m", { bytes: answering(number) }));
    }
    const addresses = handles.map((handle) => handle.codeMemory.address);
    const calls = handles.map((handle) => handle.getFunction("value", ANSWER)!);
    assertEquals(calls.map((call) => call()), [0, 1, 2, 3, 4]);
    for (const index of [2, 0, 3, 1]) {
      await handles[index].closeAsync();
      assertEquals(isMapped(addresses[index]), false);
      assertEquals(calls[4](), 4);
    }
  }
  assertEquals(allocator.live.size, 0);
});

for (const scenario of ["handle", "function", "importer", "lease", "reload", "loader"]) {
  for (const callPath of ["auto", "fast"]) {
    nativeTest(
      `garbage: memory and stub go when the last ${scenario} is unreachable after unload, callPath ${callPath}`,
      async () => {
        const result = await runChild(new URL("./garbage_child.ts", import.meta.url), {
          v8Flags: "--expose-gc",
          args: [scenario, callPath],
        });
        assertEquals([result.code, result.stderr], [0, ""]);
        assertEquals(JSON.parse(result.stdout), { heldBack: true, mapped: 0, stubs: 0, descriptors: [] });
      },
    );
  }
}

nativeTest("garbage: a function that is still reachable stays and works", async () => {
  const result = await runChild(new URL("./garbage_child.ts", import.meta.url), {
    v8Flags: "--expose-gc",
    args: ["kept", "auto"],
  });
  assertEquals([result.code, result.stderr], [0, ""]);
  assertEquals(JSON.parse(result.stdout).answer, 3);
  await turn();
});
