// Helpers of the tests that read objects into the linker's input model: finding things in it, and refusals.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import type { ElfObject } from "../../src/link/elf/object.ts";
import type { ElfSection } from "../../src/link/elf/symbols.ts";
import { RecordSize } from "../../src/os/elf.ts";

/** Checks that a file is refused with a kind, a part of the message, its path and a hint; returns the error. */
export type Refused = (bytes: Uint8Array, kind: LoadError["kind"], message: string) => LoadError;

/** Returns the check for a parser, which is given the path. */
export function refusedBy(parse: (path: string, bytes: Uint8Array) => unknown, path: string): Refused {
  return (bytes, kind, message) => {
    const error = assertThrows(() => parse(path, bytes), LoadError);
    assert(error.kind === kind && error.message.includes(message), `${error.kind}: ${error.message}`);
    assertEquals(error.data.path, path);
    assert(error.hint !== "", error.message);
    return error;
  };
}

/** Returns the index of a symbol. */
export function indexOf({ symbols }: ElfObject, name: string): number {
  for (let i = 0; i < symbols.length; i++) if (symbols.name(i) === name) return i;
  throw new Error(`there is no symbol '${name}'`);
}

/** A relocation of the model. */
export interface ModelRelocation {
  readonly place: number;
  readonly type: number;
  /** The index of its symbol. */
  readonly symbol: number;
  readonly addend: bigint;
}

/** Returns the relocations of a section. */
export function relocationsOf(
  { file: { view } }: ElfObject,
  { relaOffset, relaCount }: ElfSection,
): ModelRelocation[] {
  return Array.from({ length: relaCount }, (_, i) => {
    const at = relaOffset + i * RecordSize.RELA;
    return {
      place: view.getUint32(at, true),
      type: view.getUint32(at + 8, true),
      symbol: view.getUint32(at + 12, true),
      addend: view.getBigInt64(at + 16, true),
    };
  });
}
