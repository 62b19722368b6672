import { assertEquals } from "@std/assert";
import { CallsInFlight } from "../../src/call/in_flight.ts";

Deno.test("calls count from begin to end, and whoever asked is told every change", () => {
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

Deno.test("what is out is settled when those calls are back, not later ones", async () => {
  const calls = new CallsInFlight(() => {});
  assertEquals(calls.out(), undefined);
  const ends = [calls.begin(), calls.begin()];
  let back = false;
  const out = calls.out()!.then(() => back = true);
  calls.begin();
  ends[0]();
  await Promise.resolve();
  assertEquals(back, false);
  ends[1]();
  await out;
  assertEquals(calls.count, 1);
});
