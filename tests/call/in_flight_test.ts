import { assertEquals } from "@std/assert";
import { CallsInFlight } from "../../src/call/in_flight.ts";

Deno.test("a call counts from begin to end, and every change of the count is reported", () => {
  const counts: number[] = [];
  const calls = new CallsInFlight((count) => counts.push(count));
  const first = calls.begin();
  const second = calls.begin();
  assertEquals(calls.count, 2);
  first();
  second();
  assertEquals(counts, [1, 2, 1, 0]);
});

Deno.test("a call that ends twice counts once", () => {
  const counts: number[] = [];
  const calls = new CallsInFlight((count) => counts.push(count));
  const end = calls.begin();
  calls.begin();
  end();
  end();
  assertEquals(calls.count, 1);
  assertEquals(counts, [1, 2, 1]);
});

Deno.test("whenReturned settles when the calls in flight have returned, whatever begins later", async () => {
  const calls = new CallsInFlight(() => {});
  assertEquals(calls.whenReturned(), undefined);
  const ends = [calls.begin(), calls.begin()];
  let returned = false;
  const wait = calls.whenReturned()!.then(() => returned = true);
  calls.begin();
  ends[0]();
  await Promise.resolve();
  assertEquals(returned, false);
  ends[1]();
  await wait;
  assertEquals(calls.count, 1);
});
