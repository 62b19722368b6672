// Leases on addresses count as uses: reloads may not change what stands there without saying so.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { LoadedModule, ModuleRegistry } from "../../../mod.ts";
import { ADD32, declaredVersion } from "../../support/declared_versions.ts";
import { isolated } from "../../support/isolated.ts";
import { HAS_NATIVE_CODE } from "../../support/native_code.ts";
import { assertLoadError, readWord } from "../../support/testing.ts";

const BOTH = declaredVersion({ add32: "int", state: "ab" });
const LONG = declaredVersion({ add32: "long", state: "ab" });
const MOVED = declaredVersion({ add32: "int", state: "xy" });
const NONE = declaredVersion({});

function refused(registry: ModuleRegistry, bytes: Uint8Array<ArrayBuffer>): string {
  return assertLoadError(() => registry.reload("m", { bytes }), "Incompatible").message;
}

/** Registers a test that calls functions at addresses, in a child. */
function callTest(name: string, work: () => Promise<void>): void {
  Deno.test({ name, ignore: !HAS_NATIVE_CODE, fn: isolated(work) });
}

/** Calls a function at an address. */
function callAt(address: bigint): number {
  return new Deno.UnsafeFnPointer(Deno.UnsafePointer.create(address)!, ADD32).call(40, 2);
}

Deno.test("a function whose address is leased is in use until the lease ends", async () => {
  await using registry = new ModuleRegistry();
  using module = registry.loadBytes("m", BOTH);
  const lease = module.addressOf("add32")!;
  assertStringIncludes(
    refused(registry, LONG),
    "'add32' was int add32(int p1, int p2), is long add32(int p1, int p2)",
  );
  lease[Symbol.dispose]();
  lease[Symbol.dispose]();
  using next = registry.reload("m", { bytes: LONG });
  assertEquals(next.changedUses(), []);
});

Deno.test("with compatibility: allow the new version lists a leased function", async () => {
  await using registry = new ModuleRegistry();
  using module = registry.loadBytes("m", BOTH);
  using _lease = module.addressOf("add32");
  using next = registry.reload("m", { bytes: LONG, compatibility: "allow" });
  assertEquals(next.changedUses(), [
    { name: "add32", before: "int add32(int p1, int p2)", after: "long add32(int p1, int p2)" },
  ]);
});

callTest(
  "a leased function that a version lacks is refused, or stays that of the old version",
  async () => {
    await using registry = new ModuleRegistry({ keepVersions: 0 });
    using module = registry.loadBytes("m", BOTH);
    using lease = module.addressOf("add32")!;
    assertStringIncludes(refused(registry, NONE), "the new version does not export 'add32' as before");
    registry.reload("m", { bytes: NONE, compatibility: "allow" });
    assertEquals(callAt(lease.address), 42);
    assertStringIncludes(refused(registry, LONG), "'add32' was int");
    registry.reload("m", { bytes: BOTH });
    assertEquals(callAt(lease.address), 42);
  },
);

Deno.test("a lease through an older handle is made for the version that its address leads to", async () => {
  await using registry = new ModuleRegistry();
  using old = registry.loadBytes("m", BOTH);
  registry.reload("m", { bytes: LONG });
  using _lease = old.addressOf("add32");
  using next = registry.reload("m", { bytes: declaredVersion({ add32: "long" }) });
  assertEquals(next.changedUses(), []);
  assertStringIncludes(refused(registry, declaredVersion({ add32: "int" })), "'add32' was long");
});

Deno.test("a variable whose address is leased may not get another layout, nor go", async () => {
  await using registry = new ModuleRegistry();
  using module = registry.loadBytes("m", BOTH);
  const lease = module.addressOf("state")!;
  assertStringIncludes(refused(registry, MOVED), "'state' was struct state state, is struct state state");
  assertStringIncludes(refused(registry, NONE), "does not export 'state' as before");
  registry.reload("m", { bytes: LONG });
  const allowed = registry.reload("m", { bytes: MOVED, compatibility: "allow" });
  assertEquals(allowed.changedUses().map(({ name }) => name), ["state"]);
  // What was let differ once is not refused again.
  registry.reload("m", { bytes: declaredVersion({ add32: "int", state: "xy" }) });
  registry.reload("m", { bytes: NONE, compatibility: "allow" });
  assertEquals(readWord(lease.address), 1n);
  lease[Symbol.dispose]();
  registry.reload("m", { bytes: BOTH });
  registry.reload("m", { bytes: MOVED });
});

Deno.test("a lease on a variable of a version that was replaced is not a use of the current one", async () => {
  await using registry = new ModuleRegistry();
  using old = registry.loadBytes("m", BOTH);
  registry.reload("m", { bytes: MOVED });
  using _lease = old.addressOf("state");
  registry.reload("m", { bytes: declaredVersion({ state: "xy" }) });
  registry.reload("m", { bytes: NONE });
});

callTest(
  "an address that an attached isolate was given leads to code after the version lacks it",
  async () => {
    await using registry = new ModuleRegistry({ keepVersions: 0 });
    using module = registry.loadBytes("m", BOTH);
    const attached = LoadedModule.attach(structuredClone(module.share()));
    const lease = attached.addressOf("add32")!;
    registry.reload("m", { bytes: NONE });
    assertEquals(callAt(lease.address), 42);
    lease[Symbol.dispose]();
    await attached.closeAsync();
  },
);

callTest("an older handle leases the address of its own code once the module has ended", async () => {
  await using registry = new ModuleRegistry();
  using old = registry.loadBytes("m", BOTH);
  registry.reload("m", { bytes: declaredVersion({ add32: "int" }) }).close();
  using lease = old.addressOf("add32")!;
  const { address, size } = old.codeMemory;
  assertEquals(lease.address >= address && lease.address < address + BigInt(size), true);
  assertEquals(callAt(lease.address), 42);
});
