import { assertEquals } from "@std/assert";
import { codeLoadRecord, jitdumpHeader, perfMapLine } from "../../src/observe/jitdump.ts";

Deno.test("the header of a jitdump file says processor, process and time", () => {
  const view = new DataView(jitdumpHeader(62, 4711, 123_456_789_000n).buffer);
  assertEquals(view.byteLength, 40);
  assertEquals(new TextDecoder().decode(new Uint8Array(view.buffer, 0, 4)), "DTiJ");
  const words = [4, 8, 12, 16, 20].map((at) => view.getUint32(at, true));
  assertEquals(words, [1, 40, 62, 0, 4711]);
  assertEquals([view.getBigUint64(24, true), view.getBigUint64(32, true)], [123_456_789_000n, 0n]);
});

Deno.test("a record has the function's name and its code", () => {
  const code = new Uint8Array([0x90, 0x90, 0xc3]);
  const function_ = { name: "né", address: 0x7f00_0000_1000n, code, index: 5n };
  const bytes = codeLoadRecord(function_, { pid: 1, tid: 2, time: 3n });
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint32(0, true), view.getUint32(4, true)], [0, 56 + 4 + 3]);
  assertEquals([view.getUint32(16, true), view.getUint32(20, true)], [1, 2]);
  assertEquals([8, 24, 32, 40, 48].map((at) => view.getBigUint64(at, true)), [
    3n,
    0x7f00_0000_1000n,
    0x7f00_0000_1000n,
    3n,
    5n,
  ]);
  assertEquals(new TextDecoder().decode(bytes.subarray(56, 60)), "né\0");
  assertEquals(bytes.subarray(60), code);
});

Deno.test("a line of a map has address and size in hexadecimal", () => {
  assertEquals(perfMapLine("work [a.smf]", 0x7f00_0000_1000n, 26), "7f0000001000 1a work [a.smf]\n");
});
