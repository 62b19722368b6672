// The gate at which native threads wait for a reload, and its machine code.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { openGate, SafePointGate } from "../../../src/load/runtime/safe_point.ts";
import { safePointCode } from "../../../src/load/runtime/safe_point_code.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../../src/load/runtime/host.ts";
import { platformAllocator } from "../../../src/os/memory/allocator.ts";
import { pointerCall } from "../../../src/os/pointer.ts";
import { Arch, Platform } from "../../../src/smf/enums.ts";
import { WatchedAllocator } from "../../support/testing.ts";
import { until } from "../../support/workers.ts";

const hasCode = safePointCode(HOST_PLATFORM, HOST_ARCH, 4096) !== undefined;
const NAME = "smf_safe_point";
const WAITING = { parameters: [], result: "void", nonblocking: true } as const;
const AT_ONCE = { parameters: [], result: "void" } as const;

/** Registers a test that runs the code of this system. */
function gateTest(name: string, fn: () => void | Promise<void>, sanitizeResources = true): void {
  Deno.test({
    name: hasCode ? name : `${name} (SKIPPED: no code for this system)`,
    ignore: !hasCode,
    sanitizeResources,
    fn,
  });
}

gateTest("threads wait at a closed gate, each until it is opened", async () => {
  using gate = new SafePointGate(platformAllocator());
  const { address } = gate.find(NAME)!;
  using _user = gate.hold({ description: "test" });
  const call = pointerCall(address, WAITING) as () => Promise<void>;
  await call();
  for (let round = 1; round <= 3; round++) {
    gate.close();
    let returned = 0;
    const calls = Array.from({ length: 3 }, () => call().then(() => void returned++));
    await until(() => gate.waiting === 3);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals([gate.waiting, returned], [3, 0]);
    gate.open();
    await Promise.all(calls);
    assertEquals([gate.waiting, returned], [0, 3]);
  }
});

gateTest("the isolate that opens the gate does not wait for itself", () => {
  using gate = new SafePointGate(platformAllocator());
  using _user = gate.hold({ description: "test" });
  const call = pointerCall(gate.find(NAME)!.address, AT_ONCE);
  gate.close();
  call();
  assertEquals(gate.waiting, 0);
});

gateTest("a gate is made when it is first asked for, and freed after its owner and its last user", () => {
  const allocator = new WatchedAllocator();
  const gate = new SafePointGate(allocator);
  assertEquals(gate.find("other"), undefined);
  assertEquals(allocator.live.size, 0);
  const { address, provider } = gate.find(NAME)!;
  assertEquals(gate.find(NAME)!.address, address);
  assertEquals(allocator.live.size, 1);
  const users = [1, 2].map((number) => provider!.hold({ description: `user ${number}` }));
  users[0][Symbol.dispose]();
  users[0][Symbol.dispose]();
  assert(gate.isUsed);
  gate[Symbol.dispose]();
  assertEquals(allocator.live.size, 1);
  pointerCall(address, AT_ONCE)();
  users[1][Symbol.dispose]();
  assertEquals([allocator.live.size, gate.isUsed], [0, false]);
});

gateTest("modules that are never reloaded pass at once", () => {
  pointerCall(openGate.find(NAME, true)!.address, AT_ONCE)();
  assertEquals(openGate.find("other", true), undefined);
  // Its memory stays, and keeps the system's library open.
}, false);

Deno.test("each system's code leads to words behind it, wherever these are", () => {
  for (
    const [platform, arch] of [
      [Platform.Linux, Arch.X86_64],
      [Platform.Linux, Arch.Aarch64],
      [Platform.Windows, Arch.X86_64],
    ]
  ) {
    const [near, far] = [4096, 65536].map((distance) => safePointCode(platform, arch, distance)!);
    assertEquals([near.bytes.length, near.thread], [far.bytes.length, far.thread]);
    assert(near.bytes.length < 4096 && near.thread < near.bytes.length);
    assertNotEquals(near.bytes, far.bytes);
  }
  const view = new DataView(safePointCode(Platform.Linux, Arch.X86_64, 4096)!.bytes.buffer);
  assertEquals([view.getInt32(2, true), view.getInt32(63, true)], [4096 - 7, 4096 + 4 - 67]);
  const code = safePointCode(Platform.Linux, Arch.Aarch64, 4096)!.bytes;
  // adr x16, 4096, as an assembler writes it.
  assertEquals(new DataView(code.buffer).getUint32(0, true), 0x10008010);
  assertEquals(safePointCode(Platform.Windows, Arch.Aarch64, 4096), undefined);
});
