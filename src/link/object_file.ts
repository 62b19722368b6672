/**
 * Reads objects of every format into the linker's input model.
 */
import { isCoff, parseCoffObject } from "./coff/object.ts";
import { type ElfObject, isElf, parseObject } from "./elf/object.ts";
import { isMachO } from "./macho/file.ts";
import { parseMachObject } from "./macho/object.ts";
import type { PartialBytes } from "./partial_input.ts";

/** Whether the bytes begin as those of an object do. */
export function isObject(bytes: Uint8Array): boolean {
  return isElf(bytes) || isCoff(bytes) || isMachO(bytes);
}

/**
 * Parses an object.
 *
 * @param partial Reads the bytes of an ELF object, if they are not all in memory.
 * @throws {LoadError} `InvalidFormat` or `Unsupported`, naming the file.
 */
export function readObject(name: string, bytes: Uint8Array, partial?: PartialBytes): ElfObject {
  if (partial !== undefined) return parseObject(name, bytes, partial);
  if (isMachO(bytes)) return parseMachObject(name, bytes);
  return isCoff(bytes) ? parseCoffObject(name, bytes) : parseObject(name, bytes);
}
