// Tests how long the system's library stays open, and the sizes of reservations.
import { assertEquals, assertThrows } from "@std/assert";
import { Protection } from "../../../src/os/memory/contract.ts";
import { Ledger, planReservation } from "../../../src/os/memory/ledger.ts";

/** A ledger whose library counts how often it was opened and closed. */
function counting(): { ledger: Ledger<string>; count: { opened: number; closed: number } } {
  const count = { opened: 0, closed: 0 };
  const ledger = new Ledger(() => {
    count.opened++;
    return { symbols: "functions", close: () => void count.closed++ };
  });
  return { ledger, count };
}

const reservation = { base: 0n, length: 3 * 4096 };

Deno.test("the library is opened when it is first needed and closed afterwards", () => {
  const { ledger, count } = counting();
  assertEquals(count, { opened: 0, closed: 0 });
  assertEquals(ledger.run((system) => system), "functions");
  assertEquals(count, { opened: 1, closed: 1 });
  ledger.run(() => ledger.run(() => assertEquals(count, { opened: 2, closed: 1 })));
  assertEquals(count, { opened: 2, closed: 2 });
});

Deno.test("the library is closed when the work throws", () => {
  const { ledger, count } = counting();
  assertThrows(() =>
    ledger.run(() => {
      throw new Error("no");
    })
  );
  assertEquals(count, { opened: 1, closed: 1 });
});

Deno.test("live memory and holders keep the library open, each alone", () => {
  const { ledger, count } = counting();
  const memory = ledger.run(() => ledger.add(4096n, 4096, reservation, 4096));
  assertEquals(count, { opened: 1, closed: 0 });
  const [first, second] = [ledger.retain(), ledger.retain()];
  ledger.run(() => ledger.free(memory, () => {}));
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assertEquals(count, { opened: 1, closed: 0 });
  second[Symbol.dispose]();
  assertEquals(count, { opened: 1, closed: 1 });
});

Deno.test("a library that cannot be opened leaves no holder behind", () => {
  let broken = true;
  const count = { closed: 0 };
  const ledger = new Ledger(() => {
    if (broken) throw new Error("broken");
    return { symbols: 0, close: () => void count.closed++ };
  });
  assertThrows(() => ledger.retain(), Error, "broken");
  assertThrows(() => ledger.run(() => {}), Error, "broken");
  broken = false;
  ledger.run(() => {});
  assertEquals(count, { closed: 1 });
});

Deno.test("memory that the system refuses to take back keeps the library open", () => {
  const { ledger, count } = counting();
  const memory = ledger.run(() => ledger.add(4096n, 4096, reservation, 4096));
  assertThrows(() =>
    ledger.run(() =>
      ledger.free(memory, () => {
        throw new Error("refused");
      })
    )
  );
  assertEquals(count.closed, 0);
  ledger.run(() => ledger.free(memory, () => {}));
  assertEquals(count.closed, 1);
});

Deno.test("orphans keep the library open until the system takes them back", () => {
  const { ledger, count } = counting();
  ledger.run(() => ledger.orphan(reservation));
  ledger.run(() => ledger.retryOrphans(() => false));
  assertEquals(count.closed, 0);
  ledger.run(() => ledger.retryOrphans(() => true));
  assertEquals(count.closed, 1);
});

Deno.test("a protection that the system refused is not in the books", () => {
  const { ledger } = counting();
  const memory = ledger.run(() => ledger.add(4096n, 4096, reservation, 4096));
  const range = ledger.range(memory);
  assertThrows(
    () =>
      ledger.protect(memory, Protection.READ_ONLY, range, () => {
        throw new Error("refused");
      }),
    Error,
    "refused",
  );
  assertEquals(ledger.view(memory, 0, 1).length, 1); // never read: nothing is mapped there
  ledger.protect(memory, Protection.READ_ONLY, range, () => {});
  assertThrows(() => ledger.view(memory, 0, 1), RangeError, "not writable");
  ledger.run(() => ledger.free(memory, () => {}));
});

Deno.test("a reservation has whole pages, two guards, and room for the alignment", () => {
  const one = { size: 4096, room: 4096, alignment: 4096, length: 3 * 4096 };
  assertEquals(planReservation(1, 1, 4096), one);
  assertEquals(planReservation(4096, 4096, 4096), one);
  assertEquals(planReservation(4097, 65536, 4096), {
    size: 8192,
    room: 8192,
    alignment: 65536,
    length: 3 * 4096 + 65536,
  });
  assertEquals(planReservation(1, 4096, 65536), {
    size: 65536,
    room: 65536,
    alignment: 65536,
    length: 3 * 65536,
  });
});

Deno.test("a reservation with large pages has room for the last one", () => {
  const large = 1 << 21;
  assertEquals(planReservation(4096, 1, 4096, large), planReservation(4096, 1, 4096));
  assertEquals(planReservation(large / 2, 1, 4096, large), {
    size: large / 2,
    room: large,
    alignment: large,
    length: large + 4096 + large,
  });
  assertEquals(planReservation(large + 1, 2 * large, 4096, large), {
    size: large + 4096,
    room: large + 4096,
    alignment: 2 * large,
    length: large + 4096 + 4096 + 2 * large,
  });
});
