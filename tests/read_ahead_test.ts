import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ReadAhead, WINDOW } from "../src/read_ahead.ts";
import { randomFrom } from "./testing.ts";

const FILE = Uint8Array.from({ length: 3 * WINDOW + 100 }, (_, index) => index * 31 >> 3);

/** Fills requests from {@linkcode FILE} through a window; counts the reads that it takes. */
function reader(ahead: ReadAhead): { read(offset: number, length: number): Uint8Array; reads: number } {
  const self = {
    reads: 0,
    read(offset: number, length: number): Uint8Array {
      const request = { offset, into: new Uint8Array(length) };
      if (ahead.serve(request)) return request.into;
      self.reads++;
      const wide = ahead.widen(request);
      wide.into.set(FILE.subarray(wide.offset, wide.offset + wide.into.length));
      if (wide.into === request.into) return request.into;
      ahead.filled(wide.into.length);
      assert(ahead.serve(request));
      return request.into;
    },
  };
  return self;
}

Deno.test("neighbours cost one read together", () => {
  using ahead = new ReadAhead(FILE.length);
  const file = reader(ahead);
  for (let at = 0; at + 128 <= WINDOW; at += 128) {
    assertEquals(file.read(at, 128), FILE.subarray(at, at + 128));
  }
  assertEquals(file.reads, 1);
});

Deno.test("what is large goes straight to its place and leaves the window alone", () => {
  using ahead = new ReadAhead(FILE.length);
  const file = reader(ahead);
  file.read(0, 8);
  const request = { offset: 10, into: new Uint8Array(WINDOW) };
  assert(!ahead.serve(request));
  assertStrictEquals(ahead.widen(request), request);
  file.read(8, 8);
  assertEquals(file.reads, 1);
});

Deno.test("a request past the end of the file is left as it is, for the system to answer", () => {
  using ahead = new ReadAhead(100);
  const request = { offset: 90, into: new Uint8Array(11) };
  assertStrictEquals(ahead.widen(request), request);
});

Deno.test("what could not be read is not served", () => {
  using ahead = new ReadAhead(FILE.length);
  const request = { offset: 50, into: new Uint8Array(10) };
  ahead.widen(request);
  assert(!ahead.serve(request));
  ahead.filled(9);
  assert(!ahead.serve(request));
  ahead.filled(10);
  assert(ahead.serve(request));
});

Deno.test("any requests in any order, of two files in turns, get their own bytes", () => {
  using first = new ReadAhead(FILE.length);
  using second = new ReadAhead(FILE.length);
  const files = [reader(first), reader(second)];
  const random = randomFrom(4);
  for (let round = 0; round < 2000; round++) {
    const offset = random() % FILE.length;
    const length = Math.min(random() % (round % 5 === 0 ? 2 * WINDOW : 200), FILE.length - offset);
    assertEquals(files[round % 2].read(offset, length), FILE.subarray(offset, offset + length));
  }
});
