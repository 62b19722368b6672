/**
 * Thread-local variables: what a module asks of the system before its code can
 * find them. The words themselves are the system's to fill, since it makes the
 * block of each thread.
 *
 * ```text
 * value  name           width  is, in the letters of "ELF Handling For Thread-Local Storage"
 * 38     TlsModule64    8      the module's number                         DTPMOD
 * 39     TlsOffset64    8      S + A − the start of `.tdata`               DTPREL, DTPOFF
 * 40     TlsStatic64    8      that, counted from the thread pointer       TPREL, TPOFF
 * 41     TlsDescriptor  16     a resolver and its argument, of S + A       TLSDESC
 * ```
 *
 * The section `.tdata` holds the bytes that each thread's block begins with,
 * and by its virtual size says how large a block is. It is relocated as any
 * other; S is a place in it.
 */

import type { LoadError } from "../../errors.ts";
import type { ImagePlan, PlacedSection } from "../plan.ts";
import { relocationArch } from "./mod.ts";
import { failure, type RelocationNeeds } from "./scan.ts";
import { relocationTypeName } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { contentLength } from "../../smf/section.ts";

/** The section with the initial image. */
const SECTION = ".tdata";

/** A word, or two, that the system fills. */
export interface ThreadLocalWord {
  /** Where, as an offset in the range. */
  readonly place: number;
  /** Bytes: 8 or 16. */
  readonly size: number;
  /** A {@linkcode RelocationType}. */
  readonly type: number;
  /** The undefined symbol of a variable of another library; undefined for the module's own. */
  readonly imported: number | undefined;
  /** Where the variable is in the block, or how far behind the imported symbol. */
  readonly offset: number;
}

/** The blocks with a module's own variables. */
export interface ThreadLocalBlocks {
  /** The bytes that a block begins with, as offsets in the range; the rest is zero. */
  readonly image: { readonly offset: number; readonly length: number };
  /** Of a block, in bytes. */
  readonly size: number;
  /** A power of two. */
  readonly alignment: number;
}

/** The blocks that a module needs, and what it must know of them and of those of others. */
export interface ThreadLocalPlan {
  /** Undefined if it has no variables of its own. */
  readonly blocks: ThreadLocalBlocks | undefined;
  readonly words: readonly ThreadLocalWord[];
}

/**
 * Plans what a module's thread-local relocations need; undefined if there are none.
 *
 * @throws {LoadError} `RelocationFailed`.
 */
export function planThreadLocals(
  file: SmfFile,
  plan: ImagePlan,
  needs: RelocationNeeds,
): ThreadLocalPlan | undefined {
  if (needs.threadLocal.length === 0) return undefined;
  const { relocations, symbols } = file;
  const { widths } = relocationArch(file.header.arch);
  const placed = plan.sections.find(({ section }) => section.name === SECTION);
  const refuse = (index: number, problem: string, value?: number): LoadError => {
    const type = relocationTypeName(relocations.type(index), file.header.arch);
    return failure(file, index, `Cannot apply relocation ${type}: ${problem}`, value);
  };
  const words = needs.threadLocal.map((index): ThreadLocalWord => {
    const type = relocations.type(index);
    const symbol = relocations.symbol(index);
    const addend = Number(relocations.addend(index));
    const size = widths[type];
    const place = plan.place(relocations.offset(index), size);
    if (place < 0) throw refuse(index, `its ${size} bytes are not inside the image`);
    if (!file.isDefined(symbol)) {
      if (!Number.isSafeInteger(addend)) throw refuse(index, "its addend is no distance in a block");
      return { place, size, type, imported: symbol, offset: addend };
    }
    if (placed === undefined) throw refuse(index, `the module has no section '${SECTION}'`);
    const start = plan.place(symbols.value(symbol), 0);
    const offset = start - placed.offset + addend;
    if (start < 0 || offset < 0 || offset > placed.section.virtualSize) {
      throw refuse(index, `its symbol is not inside '${SECTION}'`, offset);
    }
    return { place, size, type, imported: undefined, offset };
  });
  return { blocks: placed === undefined ? undefined : blocksOf(placed), words };
}

function blocksOf({ section, offset }: PlacedSection): ThreadLocalBlocks {
  return {
    image: { offset, length: contentLength(section) },
    size: section.virtualSize,
    alignment: section.alignment,
  };
}
