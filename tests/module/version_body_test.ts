import { assert, assertEquals } from "@std/assert";
import { LoadError, ModuleLoader } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { build, nativeTest, type Routine, ROUTINES, turn } from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";

const WAIT = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;

/** Routines that count in JavaScript's memory how often they ran. */
const COUNTING: Readonly<Record<string, Routine>> = {
  value: { hex: "b8 03 00 00 00 c3" },
  // mov rax, [rip + GOT]; inc qword [rax]; ret
  count: { hex: "48 8b 05 00 00 00 00 48 ff 00 c3", refersByGot: { 3: "counted" } },
  // mov rax, [rip + GOT]; shl qword [rax], 4; ret
  shift: { hex: "48 8b 05 00 00 00 00 48 c1 20 04 c3", refersByGot: { 3: "counted" } },
};

function counter(): { word: BigUint64Array<ArrayBuffer>; resolver: (name: string) => bigint | null } {
  const word = new BigUint64Array(1);
  const address = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(word)));
  return { word, resolver: (name) => name === "counted" ? address : null };
}

nativeTest(
  "initialisers run in order before the load returns, finalisers in reverse when the memory is freed",
  () => {
    const { word, resolver } = counter();
    const parts = { routines: COUNTING, importedData: ["counted"] };
    const module = new ModuleLoader().loadBytes(
      build({ ...parts, init: ["count", "shift", "count"], fini: ["shift", "count"] }),
      resolver,
    );
    assertEquals(word[0], 0x11n);
    module.close();
    assertEquals(word[0], 0x120n, "count first, then shift");
  },
);

nativeTest("finalisers run once, also when freeing has to be tried again", () => {
  const { word, resolver } = counter();
  const allocator = new FailingAllocator();
  const module = new ModuleLoader({ allocator }).loadBytes(
    build({ routines: COUNTING, importedData: ["counted"], fini: ["count"] }),
    resolver,
  );
  allocator.refuse = 2;
  for (let round = 0; round < 3; round++) {
    try {
      module.close();
    } catch (error) {
      assert(error instanceof LoadError && error.kind === "OutOfMemory", `${error}`);
    }
    assertEquals(word[0], 1n);
  }
  assertEquals(allocator.live.size, 0);
});

nativeTest("finalisers wait until the memory can go", async () => {
  const { word, resolver } = counter();
  const module = new ModuleLoader().loadBytes(
    build({ routines: { ...COUNTING, ...ROUTINES }, importedData: ["counted"], fini: ["count"] }),
    resolver,
  );
  const flag = new Int32Array(1);
  const result = module.getFunction("wait", WAIT)!(flag);
  const closing = module.closeAsync();
  await turn();
  assertEquals(word[0], 0n);
  Atomics.store(flag, 0, 1);
  await result;
  await closing;
  assertEquals(word[0], 1n);
});

nativeTest("an initialiser that is not a function of the module is refused, and nothing stays", () => {
  const { word, resolver } = counter();
  const allocator = new FailingAllocator();
  const bytes = build({ routines: COUNTING, importedData: ["counted"], init: [0x1234n], fini: ["count"] });
  assertLoadError(() => new ModuleLoader({ allocator }).loadBytes(bytes, resolver), "InvalidFormat");
  assertEquals(allocator.live.size, 0);
  assertEquals(word[0], 0n, "a module that was never initialised is not finalised");
});

nativeTest("a finaliser that is not a function of the module is refused at the load", () => {
  const { word, resolver } = counter();
  const allocator = new FailingAllocator();
  const bytes = build({ routines: COUNTING, importedData: ["counted"], init: ["count"], fini: [0x1234n] });
  assertLoadError(() => new ModuleLoader({ allocator }).loadBytes(bytes, resolver), "InvalidFormat");
  assertEquals(allocator.live.size, 0);
  assertEquals(word[0], 0n, "none of its functions ran");
});

nativeTest("unused entries of the arrays are skipped", () => {
  const { word, resolver } = counter();
  const module = new ModuleLoader().loadBytes(
    build({
      routines: COUNTING,
      importedData: ["counted"],
      init: [0xffff_ffff_ffff_ffffn, "count", 0n],
      fini: [0n, "count"],
    }),
    resolver,
  );
  assertEquals(word[0], 1n);
  module.close();
  assertEquals(word[0], 2n);
});

nativeTest("a finaliser that calls back finds its module closed and ends it only once", async () => {
  const allocator = new FailingAllocator();
  let calls = 0;
  const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
    calls++;
    assertEquals(module.isOpen, false);
    module.close();
    again = module.closeAsync();
  });
  let again: Promise<void> | undefined;
  const address = BigInt(Deno.UnsafePointer.value(callback.pointer));
  const module = new ModuleLoader({ allocator }).loadBytes(
    build({
      routines: { bye: { hex: "48 83 ec 08 ff 15 00 00 00 00 48 83 c4 08 c3", refersByGot: { 6: "tell" } } },
      fini: ["bye"],
    }),
    () => address,
  );
  module.close();
  await again;
  callback.close();
  assertEquals([calls, allocator.freed.length, allocator.live.size], [1, 1, 0]);
});
