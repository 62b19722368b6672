import { assert, assertEquals, assertFalse } from "@std/assert";
import { alignAddressUp, hintsNear, isNear, NEAR, reserveNear } from "../../../src/os/memory/near.ts";

Deno.test("alignAddressUp keeps multiples and raises all other addresses", () => {
  assertEquals(alignAddressUp(0n, 4096n), 0n);
  assertEquals(alignAddressUp(1n, 4096n), 4096n);
  assertEquals(alignAddressUp(4096n, 4096n), 4096n);
  assertEquals(alignAddressUp(0x7fff_ffff_f001n, 1n << 21n), 0x8000_0000_0000n);
  assertEquals(alignAddressUp(77n, 1n), 77n);
});

Deno.test("isNear counts both ends of the range", () => {
  const near = 1n << 40n;
  assert(isNear(near - NEAR, 4096, near));
  assertFalse(isNear(near - NEAR - 1n, 4096, near));
  assert(isNear(near + NEAR - 4096n, 4096, near));
  assertFalse(isNear(near + NEAR - 4095n, 4096, near));
});

Deno.test("every hint is near, aligned to the granularity, and leaves the neighbour alone", () => {
  const near = 0x7f12_3456_7000n;
  const length = 3 << 20;
  const hints = [...hintsNear(near, length, 65536n)];
  // First the few that are enough for most modules, then one for each MiB on both sides.
  assert(hints.length > 16 + 2 * 1000, `${hints.length} hints`);
  for (const hint of hints) {
    assert(isNear(hint, length, near));
    assertEquals(hint % 65536n, 0n);
    assert(hint + BigInt(length) <= near || hint > near);
  }
});

Deno.test("hints stay inside user space", () => {
  for (const hint of hintsNear(32n << 20n, 4096, 4096n)) assert(hint >= 1n << 20n);
  for (const hint of hintsNear((1n << 47n) - 4096n, 4096, 4096n)) assert(hint + 4096n < 1n << 47n);
});

/** A system with given free addresses, which records its reservations. */
function reserving(anywhere: bigint | undefined, free: (hint: bigint) => bigint | undefined, near: bigint) {
  const held = new Set<bigint>();
  const take = (base: bigint | undefined): bigint | undefined => {
    if (base !== undefined) held.add(base);
    return base;
  };
  const system = {
    reserve: (hint: bigint) => take(hint === 0n ? anywhere : free(hint)),
    release: (base: bigint) => void held.delete(base),
    accept: (base: bigint) => isNear(base, 4096, near),
  };
  return { held, system };
}

Deno.test("the system's own choice is kept if it is near", () => {
  const near = 1n << 40n;
  const { held, system } = reserving(near + 4096n, () => undefined, near);
  assertEquals(reserveNear(near, 4096, 4096n, system), near + 4096n);
  assertEquals([...held], [near + 4096n]);
});

Deno.test("the first hint that the system honours is taken, other reservations are given back", () => {
  const near = 1n << 40n;
  let asked = 0;
  const { held, system } = reserving(1n << 44n, (hint) => ++asked < 4 ? 1n << 43n : hint, near);
  const base = reserveNear(near, 4096, 4096n, system)!;
  assertEquals(asked, 4);
  assert(isNear(base, 4096, near));
  assertEquals([...held], [base]);
});

Deno.test("the reservation lies anywhere if no place near is free", () => {
  const near = 1n << 40n;
  const { held, system } = reserving(1n << 44n, () => undefined, near);
  assertEquals(reserveNear(near, 4096, 4096n, system), 1n << 44n);
  assertEquals([...held], [1n << 44n]);
});

Deno.test("a refusal to reserve anything is passed on without trying hints", () => {
  let asked = 0;
  const { held, system } = reserving(undefined, () => (asked++, undefined), 1n << 40n);
  assertEquals(reserveNear(1n << 40n, 4096, 4096n, system), undefined);
  assertEquals([asked, held.size], [0, 0]);
});
