// The table of functions of modules for Windows: what is counted, and what is refused before the system reads it.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { countFunctions } from "../../src/image/function_table.ts";

const CODE = { start: 0, end: 0x100 };
const TABLE = 0x200, UNWIND = 0x300, SIZE = 0x400;

/** An image with a table of these functions, all with the unwind data at 0x300. */
function image(functions: readonly (readonly [start: number, end: number])[], unwind = UNWIND) {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  functions.forEach(([start, end], i) => {
    [start, end, unwind].forEach((value, word) => view.setUint32(TABLE + 12 * i + 4 * word, value, true));
  });
  bytes[UNWIND] = 1; // version 1, no flags
  return { bytes, table: { start: TABLE, end: TABLE + 12 * functions.length } };
}

function count({ bytes, table }: ReturnType<typeof image>): number {
  return countFunctions(bytes, table, CODE, ".pdata");
}

function refused(made: ReturnType<typeof image>, message: string): void {
  const error = assertThrows(() => count(made), LoadError);
  assert(error.kind === "InvalidFormat" && error.message.includes(message), error.message);
  assertEquals(error.data.section, ".pdata");
}

Deno.test("functions in the order of their addresses are counted", () => {
  assertEquals(count(image([])), 0);
  assertEquals(count(image([[0, 0x10], [0x10, 0x20], [0x80, 0x100]])), 3);
});

Deno.test("functions out of order, empty ones, and ones outside of the code are refused", () => {
  refused(image([[0x20, 0x30], [0x10, 0x18]]), "order");
  refused(image([[0, 0x20], [0x18, 0x30]]), "order");
  refused(image([[0x10, 0x10]]), "order");
  refused(image([[0xf0, 0x101]]), "outside the code");
});

Deno.test("unwind data has to be whole, inside the image, and of a known version", () => {
  refused(image([[0, 0x10]], SIZE), "outside the image");
  refused(image([[0, 0x10]], UNWIND + 2), "outside the image");
  const changed = (at: number, byte: number) => {
    const made = image([[0, 0x10]]);
    made.bytes[at] = byte;
    return made;
  };
  refused(changed(UNWIND, 3), "version 3");
  refused(changed(UNWIND + 2, 255), "passes the end");
  assertEquals(count(changed(UNWIND, 2)), 1, "version 2");
  // A handler behind the codes, and another entry, have to fit as well.
  const last = SIZE - 4;
  for (const flags of [1, 2, 4]) {
    const made = image([[0, 0x10]], last);
    made.bytes[last] = 1 | flags << 3;
    refused(made, "passes the end");
  }
});
