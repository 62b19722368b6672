/**
 * Shared libraries of the host, as far as a link needs them: their names, and the names that they define.
 */
import { isCoff } from "../../link/coff/object.ts";
import { isMachO } from "../../link/macho/file.ts";
import { RecordSize, SectionIndex, SectionType } from "../../os/elf.ts";

/** The names of host libraries that compilers know by `-l`, for machines without the files for linking. */
export const SONAMES: Readonly<Record<string, string>> = {
  c: "libc.so.6",
  dl: "libdl.so.2",
  gcc_s: "libgcc_s.so.1",
  gfortran: "libgfortran.so.5",
  gomp: "libgomp.so.1",
  m: "libm.so.6",
  pthread: "libpthread.so.0",
  resolv: "libresolv.so.2",
  rt: "librt.so.1",
  "stdc++": "libstdc++.so.6",
  z: "libz.so.1",
};

/** The types of ELF files that are told apart here. */
const RELOCATABLE = 1, SHARED = 3;

/** Whether the bytes are a shared library for this linker's processors. */
export function isSharedLibrary(bytes: Uint8Array): boolean {
  return isElfOfType(bytes, SHARED);
}

/** Whether the bytes are a relocatable object for them, of any format. */
export function isObject(bytes: Uint8Array): boolean {
  return isElfOfType(bytes, RELOCATABLE) || isCoff(bytes) || isMachO(bytes);
}

/** Whether the bytes begin as an ELF file of a type for this linker's processors does. */
function isElfOfType(bytes: Uint8Array, type: number): boolean {
  return bytes.length > 18 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c &&
    bytes[3] === 0x46 && bytes[5] === 1 && bytes[16] === type && bytes[17] === 0;
}

/** The offsets of the fields of Elf64_Shdr and Elf64_Sym that are read here. */
const Shdr = { type: 4, offset: 24, size: 32, link: 40 } as const;
const Sym = { section: 6 } as const;
/** The entry of the dynamic section that gives the library's own name, and the one that ends it. */
const DT_SONAME = 14, DT_NULL = 0;

/** The facts in a shared library's dynamic section. */
export interface SharedLibrary {
  /** The name under which the system finds it; undefined if the file does not say. */
  readonly soname: string | undefined;
  /** The names that it defines. */
  readonly names: readonly string[];
}

/** Reads a shared library; one whose tables cannot be read has no names. */
export function readSharedLibrary(bytes: Uint8Array): SharedLibrary {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder();
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const text = (at: number): string => decoder.decode(bytes.subarray(at, bytes.indexOf(0, at)));
  const names: string[] = [];
  let soname: string | undefined;
  try {
    const headers = u64(40);
    for (let index = 0; index < view.getUint16(60, true); index++) {
      const at = headers + index * RecordSize.SHDR;
      const type = view.getUint32(at + Shdr.type, true);
      if (type !== SectionType.DYNSYM && type !== SectionType.DYNAMIC) continue;
      const strings = u64(headers + view.getUint32(at + Shdr.link, true) * RecordSize.SHDR + Shdr.offset);
      const start = u64(at + Shdr.offset), end = start + u64(at + Shdr.size);
      if (type === SectionType.DYNAMIC) {
        for (let entry = start; entry < end && u64(entry) !== DT_NULL; entry += 16) {
          if (u64(entry) === DT_SONAME) soname = text(strings + u64(entry + 8));
        }
        continue;
      }
      for (let symbol = start; symbol < end; symbol += RecordSize.SYM) {
        if (view.getUint16(symbol + Sym.section, true) === SectionIndex.UNDEF) continue;
        names.push(text(strings + view.getUint32(symbol, true)));
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return { soname, names };
}
