import { assertEquals } from "@std/assert";
import { OwnTrampolines } from "../../src/load/own_trampolines.ts";

/** An address above 4 GiB, as those of trampolines mostly are. */
const BASE = 0x7f12_3456_7000;

/** Code of the symbol 0 is at 0x1000, of 1 at 0x2000, and so on. */
const codeOf = (symbol: number) => 0x1000 * (symbol + 1);

Deno.test("the code of a function is found by the address of its trampoline only", () => {
  const own = new OwnTrampolines(Float64Array.of(BASE + 64, 0, BASE), codeOf);
  assertEquals([own.isEmpty, own.first, own.end], [false, BASE, BASE + 65]);
  assertEquals([BASE, BASE + 64].map((address) => own.codeOf(address)), [0x3000, 0x1000]);
  const others = [BASE - 1, BASE + 32, BASE + 65, 0, NaN];
  assertEquals(others.map((address) => own.codeOf(address)), others.map(() => undefined));
});

Deno.test("pairs of trampolines and code are in the order of the trampolines, each once", () => {
  const codes = [0x5000, 0, 0x7f00_0000_0000, 0x5000];
  const own = new OwnTrampolines(Float64Array.of(BASE + 64, 0, BASE, BASE + 64), (symbol) => codes[symbol]);
  assertEquals([...own.pairs()], [BASE, 0x7f00_0000_0000, BASE + 64, 0x5000].map(BigInt));
});

Deno.test("a version without trampolines has no code for any address", () => {
  const own = new OwnTrampolines(new Float64Array(3), codeOf);
  assertEquals([own.isEmpty, own.codeOf(0), own.codeOf(BASE), own.pairs().length], [
    true,
    undefined,
    undefined,
    0,
  ]);
});
