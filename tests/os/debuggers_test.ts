// The list that debuggers read, as they read it: from the memory of the library that has it.
import { assert, assertEquals } from "@std/assert";
import { DESCRIPTOR_SIZE } from "../../src/os/jit_library.ts";
import { DEBUGGERS_LISTEN, registerSymbolFile } from "../../src/os/debuggers.ts";
import { maps } from "../support/process_state.ts";

/** The addresses of the library's mappings, in ascending order. */
function mappings(): bigint[] {
  return maps().filter((line) => /memfd:smf-jit/.test(line))
    .map((line) => BigInt(`0x${line.slice(0, line.indexOf("-"))}`));
}

const view = (address: bigint): Deno.UnsafePointerView =>
  new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!);

/** Walks over the list; returns the first byte and the size of each symbol file. */
function list(): [first: number, size: number][] {
  // The page of the descriptor is the last one.
  const descriptor = view(mappings().at(-1)!);
  assertEquals([descriptor.getUint32(0), descriptor.getUint32(4)], [1, 0]);
  const files: [number, number][] = [];
  let previous = 0n;
  for (let entry = descriptor.getBigUint64(DESCRIPTOR_SIZE - 8); entry !== 0n;) {
    const words = view(entry);
    assertEquals(words.getBigUint64(8), previous);
    files.push([view(words.getBigUint64(16)).getUint8(), Number(words.getBigUint64(24))]);
    previous = entry;
    entry = words.getBigUint64(0);
  }
  return files;
}

Deno.test({
  name: "symbol files are in the list until they are taken out, in whatever order",
  ignore: !DEBUGGERS_LISTEN,
  fn() {
    const [a, b, c] = [1, 2, 3].map((first) => registerSymbolFile(new Uint8Array(first * 10).fill(first)));
    assert(mappings().length >= 3);
    assertEquals(list(), [[3, 30], [2, 20], [1, 10]]);
    b[Symbol.dispose]();
    assertEquals(list(), [[3, 30], [1, 10]]);
    b[Symbol.dispose]();
    const d = registerSymbolFile(Uint8Array.of(4));
    assertEquals(list(), [[4, 1], [3, 30], [1, 10]]);
    a[Symbol.dispose]();
    assertEquals(list(), [[4, 1], [3, 30]]);
    d[Symbol.dispose]();
    assertEquals(list(), [[3, 30]]);
    c[Symbol.dispose]();
    assertEquals(mappings(), []);
    // The next one makes a library again.
    const e = registerSymbolFile(Uint8Array.of(5));
    assertEquals(list(), [[5, 1]]);
    // The last one, too, is replaced in the same library.
    const before = mappings();
    e.replace(Uint8Array.of(6, 6));
    assertEquals([list(), mappings()], [[[6, 2]], before]);
    e[Symbol.dispose]();
    assert(mappings().length === 0);
    e.replace(Uint8Array.of(7));
    assert(mappings().length === 0);
  },
});
