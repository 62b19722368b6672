import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ReadAhead, WINDOW } from "../../../src/load/file/read_ahead.ts";
import type { ReadRequest } from "../../../src/smf/reader.ts";
import { randomFrom } from "../../support/testing.ts";

const FILE = Uint8Array.from({ length: 3 * WINDOW + 100 }, (_, index) => index * 31 >> 3);

/** Fills requests from {@linkcode FILE} through a window; counts the reads that it takes. */
function reader(ahead: ReadAhead): { read(request: ReadRequest): Uint8Array; reads: number } {
  const self = {
    reads: 0,
    read(request: ReadRequest): Uint8Array {
      const served = ahead.serve(request);
      if (served !== undefined) return served;
      self.reads++;
      const wide = ahead.widen(request);
      wide.into.set(FILE.subarray(wide.offset, wide.offset + wide.into.length));
      ahead.filled(wide, wide.into.length);
      return ahead.serve(request) ?? wide.into;
    },
  };
  return self;
}

Deno.test("neighbours cost one read together", () => {
  const file = reader(new ReadAhead(FILE.length));
  for (let offset = 0; offset + 128 <= WINDOW; offset += 128) {
    const into = offset % 256 !== 0 ? new Uint8Array(128) : undefined;
    assertEquals(file.read({ offset, length: 128, into }), FILE.subarray(offset, offset + 128));
  }
  assertEquals(file.reads, 1);
});

Deno.test("a large request, or one with a buffer of its own, is read by itself and leaves the window unchanged", () => {
  const ahead = new ReadAhead(FILE.length);
  const file = reader(ahead);
  file.read({ offset: 0, length: 8 });
  const large = ahead.widen({ offset: 10, length: WINDOW });
  assertEquals([large.offset, large.into.length], [10, WINDOW]);
  const into = new Uint8Array(8);
  const placed = ahead.widen({ offset: WINDOW, length: 8, into });
  assertEquals(placed.offset, WINDOW);
  assertStrictEquals(placed.into, into);
  ahead.filled(placed, 8);
  file.read({ offset: 8, length: 8 });
  assertEquals(file.reads, 1);
});

Deno.test("a request past the end of the file is left unchanged, for the system to refuse", () => {
  const { offset, into } = new ReadAhead(100).widen({ offset: 90, length: 11 });
  assertEquals([offset, into.length], [90, 11]);
});

Deno.test("bytes that could not be read are not served", () => {
  const ahead = new ReadAhead(FILE.length);
  const request = { offset: 50, length: 10 };
  const wide = ahead.widen(request);
  assertEquals(ahead.serve(request), undefined);
  ahead.filled(wide, 9);
  assertEquals(ahead.serve(request), undefined);
  ahead.filled(wide, 10);
  assert(ahead.serve(request) !== undefined);
});

Deno.test("bytes that were handed out stay unchanged when the window has moved on", () => {
  const file = reader(new ReadAhead(FILE.length));
  const given = file.read({ offset: 3, length: 9 });
  file.read({ offset: 2 * WINDOW, length: 9 });
  assertEquals(given, FILE.subarray(3, 12));
});

Deno.test("any requests in any order, of two files in turns, get their own bytes", () => {
  const files = [reader(new ReadAhead(FILE.length)), reader(new ReadAhead(FILE.length))];
  const random = randomFrom(4);
  for (let round = 0; round < 2000; round++) {
    const offset = random() % FILE.length;
    const length = Math.min(random() % (round % 5 === 0 ? 2 * WINDOW : 200), FILE.length - offset);
    const into = round % 3 === 0 ? new Uint8Array(length) : undefined;
    assertEquals(files[round % 2].read({ offset, length, into }), FILE.subarray(offset, offset + length));
  }
});
