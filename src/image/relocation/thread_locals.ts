/**
 * Plans thread-local variables: the TLS block of a module, and the words by which
 * its code finds variables. The system fills the words, since it allocates the
 * block of each thread.
 *
 * ```text
 * value  name           width  word, in the letters of "ELF Handling For Thread-Local Storage"
 * 38     TlsModule64    8      the module's number                         DTPMOD
 * 39     TlsOffset64    8      S + A − the start of `.tdata`               DTPREL, DTPOFF
 * 40     TlsStatic64    8      the same, relative to the thread pointer    TPREL, TPOFF
 * 41     TlsDescriptor  16     a function and its argument, for S + A      TLSDESC
 * 48     TlsStatic32    4      as TlsStatic64, in an x86-64 instruction    TPOFF32
 * 49     Arm64TlsStaticHigh12, 50 Arm64TlsStaticLow12                     TLSLE
 * ```
 *
 * From 48 on the types are those of local-exec code, which is made for programs:
 * it contains the offset itself, which is known once the block has its place.
 *
 * The section `.tdata` holds the bytes that each thread's block begins with; its
 * virtual size is the size of a block. It is relocated like any other section; S
 * is a place in it.
 */

import type { LoadError } from "../../errors/load_error.ts";
import { type ImagePlan, isAddress, type PlacedSection } from "../plan.ts";
import { LOCAL_EXEC, Patch, Use } from "./arch.ts";
import { relocationArch } from "./mod.ts";
import { relocationError, type RelocationNeeds } from "./scan.ts";
import { relocationTypeName } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { contentLength } from "../../smf/section.ts";
import { TLS_SECTION as SECTION } from "../../smf/thread_local.ts";

/** One or two words that the system fills. */
export interface ThreadLocalWord {
  /** The offset in the range. */
  readonly place: number;
  /** The size in bytes: 8 or 16. */
  readonly size: number;
  /** A {@linkcode RelocationType}. */
  readonly type: number;
  /** The symbol index of another library's variable; undefined for one of the module's own. */
  readonly imported: number | undefined;
  /** The variable's offset in the block, or the distance from the imported symbol. */
  readonly offset: number;
}

/** An instruction that contains the offset of one of the module's variables from the thread pointer. */
export interface StaticOffset {
  /** The relocation's index. */
  readonly index: number;
  /** The offset in the range. */
  readonly place: number;
  /** The variable's offset in the block. */
  readonly offset: number;
}

/** The TLS blocks of a module's own variables. */
export interface ThreadLocalBlocks {
  /** The part of the range that a block begins as a copy of; the rest of the block is zero. */
  readonly image: { readonly offset: number; readonly length: number };
  /** The size of a block, in bytes. */
  readonly size: number;
  /** The alignment of a block: a power of two. */
  readonly alignment: number;
}

/** The thread-local variables of a module: its own, and those that it imports. */
export interface ThreadLocalPlan {
  /** Undefined if the module has no variables of its own. */
  readonly blocks: ThreadLocalBlocks | undefined;
  /** The words that lead to own and imported variables. */
  readonly words: readonly ThreadLocalWord[];
  /** The instructions of local-exec code. */
  readonly staticOffsets: readonly StaticOffset[];
  /** The own variables that other modules can import. */
  readonly exports: readonly ThreadLocalExport[];
}

/** A thread-local variable that a module exports. */
export interface ThreadLocalExport {
  readonly name: string;
  /** Its offset in the block. */
  readonly offset: number;
}

/**
 * Plans what a module's thread-local relocations and exports need; undefined if there are none.
 *
 * @throws {LoadError} `RelocationFailed`.
 */
export function planThreadLocals(
  file: SmfFile,
  plan: ImagePlan,
  needs: RelocationNeeds,
): ThreadLocalPlan | undefined {
  const exports = exportsOf(file, plan);
  if (needs.threadLocal.length === 0 && exports.length === 0) return undefined;
  const { relocations, symbols } = file;
  const { widths } = relocationArch(file.header.arch);
  const placed = plan.sections.find(({ section }) => section.name === SECTION);
  const refuse = (index: number, problem: string, value?: number): LoadError => {
    const type = relocationTypeName(relocations.type(index), file.header.arch);
    return relocationError(file, index, `Cannot apply relocation ${type}: ${problem}`, {
      ...(value === undefined ? {} : { value }),
    });
  };
  const words: ThreadLocalWord[] = [];
  const staticOffsets: StaticOffset[] = [];
  for (const index of needs.threadLocal) {
    const type = relocations.type(index);
    const symbol = relocations.symbol(index);
    const addend = Number(relocations.addend(index));
    const size = widths[type];
    const place = plan.place(relocations.offset(index), size);
    if (place < 0) throw refuse(index, `its ${size} bytes are not inside the image`);
    if (!file.isDefined(symbol)) {
      if (!Number.isSafeInteger(addend)) throw refuse(index, "its addend is not a distance in a block");
      if (LOCAL_EXEC.has(type)) throw refuse(index, "its symbol is not a variable of the module");
      words.push({ place, size, type, imported: symbol, offset: addend });
      continue;
    }
    if (placed === undefined) throw refuse(index, `the module has no section '${SECTION}'`);
    const start = plan.place(symbols.value(symbol), 0);
    const offset = start - placed.offset + addend;
    if (start < 0 || offset < 0 || offset > placed.section.virtualSize) {
      throw refuse(index, `its symbol is not inside '${SECTION}'`, offset);
    }
    if (LOCAL_EXEC.has(type)) staticOffsets.push({ index, place, offset });
    else words.push({ place, size, type, imported: undefined, offset });
  }
  const other = otherUse(file, words);
  if (other !== -1) throw refuse(other, "its symbol is a thread-local variable too, which has no address");
  return { blocks: placed === undefined ? undefined : blocksOf(placed), words, staticOffsets, exports };
}

function exportsOf({ symbols }: SmfFile, plan: ImagePlan): ThreadLocalExport[] {
  const { threadLocals } = plan;
  if (threadLocals === undefined) return [];
  const exports: ThreadLocalExport[] = [];
  for (let index = 0; index < symbols.length; index++) {
    if (!symbols.isExport(index) || !isAddress(symbols.type(index))) continue;
    const value = symbols.value(index);
    if (!plan.isThreadLocal(value)) continue;
    exports.push({ name: symbols.name(index), offset: value - threadLocals.offset });
  }
  return exports;
}

/** The first relocation that takes the address of an imported thread-local variable; -1 if none does. */
function otherUse({ relocations, header }: SmfFile, words: readonly ThreadLocalWord[]): number {
  const variables = new Set(words.flatMap(({ imported }) => imported ?? []));
  if (variables.size === 0) return -1;
  const { uses } = relocationArch(header.arch);
  for (let i = 0; i < relocations.length; i++) {
    const use = uses[relocations.type(i)];
    if (use !== 0 && (use & Use.ThreadLocal) === 0 && variables.has(relocations.symbol(i))) return i;
  }
  return -1;
}

/**
 * Writes the offsets from the thread pointer into the instructions of local-exec code.
 *
 * @param bytes The whole range.
 * @param block The offset of the module's block from the thread pointer.
 * @throws {LoadError} `RelocationFailed` if an offset does not fit.
 */
export function applyStaticOffsets(
  bytes: Uint8Array,
  file: SmfFile,
  { staticOffsets }: ThreadLocalPlan,
  block: number,
): void {
  const arch = relocationArch(file.header.arch);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { index, place, offset } of staticOffsets) {
    const type = file.relocations.type(index);
    const outcome = arch.patchStaticOffset(view, place, type, block + offset);
    if (outcome === Patch.Done) continue;
    const name = relocationTypeName(type, file.header.arch);
    const problem = outcome === Patch.WrongInstruction
      ? "its place is not an instruction that takes the offset"
      : "the variable's offset from the thread pointer does not fit";
    throw relocationError(file, index, `Cannot apply relocation ${name}: ${problem}`, {
      value: block + offset,
      ...(outcome === Patch.OutOfRange ? { range: arch.range(type) } : {}),
      hint: "compile with -fPIC",
    });
  }
}

function blocksOf({ section, offset }: PlacedSection): ThreadLocalBlocks {
  return {
    image: { offset, length: contentLength(section) },
    size: section.virtualSize,
    alignment: section.alignment,
  };
}
