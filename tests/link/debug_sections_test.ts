// The checks of an object's debug sections: each of them by a change of one object that only it refuses.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { deflateSync } from "node:zlib";
import { olderThan } from "../support/deno_version.ts";
import { LoadError } from "../../src/errors/load_error.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { typesFixture } from "../support/types.ts";

/** Offsets in a section header (ELF64, "Section Header"), and the size of a relocation with its addend. */
const SH = { name: 0, flags: 8, offset: 24, size: 32 } as const;
const COMPRESSED = 0x800;
const RELA_SIZE = 24;

/** A copy of an object, whose sections can be changed. */
class Changed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;

  constructor(more: Uint8Array = new Uint8Array(0)) {
    const sample = typesFixture("sample.o");
    this.bytes = new Uint8Array(sample.length + more.length);
    this.bytes.set(sample);
    this.bytes.set(more, sample.length);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Returns where the header of a section is. */
  header(name: string): number {
    const names = this.get(this.#headers + 64 * this.view.getUint16(62, true), SH.offset);
    const text = new TextEncoder().encode(`${name}\0`);
    for (let i = 0; i < this.view.getUint16(60, true); i++) {
      const at = this.#headers + 64 * i;
      const start = names + this.view.getUint32(at + SH.name, true);
      if (text.every((byte, index) => this.bytes[start + index] === byte)) return at;
    }
    throw new Error(`no section ${name}`);
  }

  get #headers(): number {
    return this.get(0, 40);
  }

  get(at: number, field: number): number {
    return Number(this.view.getBigUint64(at + field, true));
  }

  set(at: number, field: number, value: number): void {
    this.view.setBigUint64(at + field, BigInt(value), true);
  }

  /** Has a section consist of the bytes that were added behind the object. */
  replace(header: number, length: number): void {
    this.set(header, SH.offset, this.bytes.length - length);
    this.set(header, SH.size, length);
  }
}

function refused({ bytes }: Changed, problem: string): void {
  const error = assertThrows(
    () => linkObjects([{ name: "sample.o", bytes }], { types: "require" }),
    LoadError,
    problem,
  );
  assertEquals([error.kind, error.data.path], ["InvalidFormat", "sample.o"]);
}

Deno.test("relocations of debug information lie in their section in order, and name symbols", () => {
  const relocations = (change: (object: Changed, start: number, last: number) => void): Changed => {
    const object = new Changed();
    const header = object.header(".rela.debug_info");
    const start = object.get(header, SH.offset);
    change(object, start, start + object.get(header, SH.size) - RELA_SIZE);
    return object;
  };
  refused(
    relocations(({ view }, start, last) => {
      for (let at = start; at <= last; at += RELA_SIZE) view.setUint32(at + 12, 0xffff, true);
    }),
    "a relocation's symbol does not exist",
  );
  refused(
    relocations(({ view }, start) =>
      view.setUint32(start, view.getUint32(start + RELA_SIZE, true) + 1, true)
    ),
    "relocations are not in the order of their places",
  );
  refused(
    relocations((object, _, last) =>
      object.view.setUint32(last, object.get(object.header(".debug_info"), SH.size), true)
    ),
    "a relocation lies outside its section",
  );
});

/** An object whose .debug_str has a compression header (ELF64, Elf64_Chdr) and other bytes. */
function compressed(method: number, size: number, bytes: Uint8Array): Changed {
  const stored = new Uint8Array(24 + bytes.length);
  const view = new DataView(stored.buffer);
  view.setUint32(0, method, true);
  view.setBigUint64(8, BigInt(size), true);
  stored.set(bytes, 24);
  return flagged(stored);
}

function flagged(stored: Uint8Array): Changed {
  const object = new Changed(stored);
  const header = object.header(".debug_str");
  object.replace(header, stored.length);
  object.set(header, SH.flags, object.get(header, SH.flags) | COMPRESSED);
  return object;
}

/** An object whose .debug_str is in the older compressed form, with the name .zdebug_str. */
function older(stored: Uint8Array): Changed {
  const object = new Changed(stored);
  const header = object.header(".debug_str");
  // The name of a section that nothing needs makes room.
  const other = object.header(".note.GNU-stack");
  const names = object.get(object.header(".shstrtab"), SH.offset);
  const name = object.view.getUint32(other + SH.name, true);
  object.bytes.set(new TextEncoder().encode(".zdebug_str\0"), names + name);
  object.view.setUint32(header + SH.name, name, true);
  object.view.setUint32(other + SH.name, 0, true);
  object.replace(header, stored.length);
  return object;
}

Deno.test("compressed debug sections have a header, a known method and their size", () => {
  const sample = new Changed();
  const header = sample.header(".debug_str");
  const start = sample.get(header, SH.offset);
  const plain = sample.bytes.slice(start, start + sample.get(header, SH.size));
  const deflated = deflateSync(plain);
  const big = (size: number) => {
    const stored = new Uint8Array(12 + deflated.length);
    stored.set(new TextEncoder().encode("ZLIB"));
    new DataView(stored.buffer).setBigUint64(4, BigInt(size));
    stored.set(deflated, 12);
    return stored;
  };
  for (const object of [compressed(1, plain.length, deflated), older(big(plain.length))]) {
    const { bytes } = linkObjects([{ name: "sample.o", bytes: object.bytes }], { types: "require" });
    assert(parseSmf(bytes).types() !== undefined);
  }
  refused(flagged(new Uint8Array(23)), "a compressed section has no header");
  refused(older(new Uint8Array(11)), "a compressed section has no header");
  refused(compressed(1, 2 ** 40, deflated), "a section expands beyond reason");
  refused(compressed(7, plain.length, deflated), "the method of compression 7 is unknown");
  refused(compressed(1, plain.length, plain), "a section does not decompress");
  // Deno before 2.5 does not stop at the size.
  const problem = olderThan(5) ? "a section decompresses to another size" : "a section does not decompress";
  refused(compressed(1, plain.length - 1, deflated), problem);
  refused(compressed(1, plain.length + 1, deflated), "a section decompresses to another size than it says");
});
