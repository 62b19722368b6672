/**
 * Which layout a file has. The version field does not tell; the places of the
 * tables do. A header at the start of the file goes before one at the end,
 * because text in a string table may look like the latter.
 */

import { LoadError } from "../errors.ts";
import { checkCommonFields, checkGeometry, readHeader, type SmfHeader } from "./header.ts";
import { type Layout, type LayoutName, LAYOUTS, MAGIC } from "./layout.ts";
import { ByteReader, type Reading } from "./reader.ts";
import { readSections } from "./section.ts";

/** A header and how to read the rest of its file. */
export interface Detected {
  /** The layout. */
  readonly layout: Layout;
  /** The header, read by it. */
  readonly header: SmfHeader;
  /** The header's bytes. */
  readonly bytes: Uint8Array;
}

/** A layout that could be the file's: it fits, or the first thing that speaks against it. */
interface Candidate extends Detected {
  readonly problem?: undefined;
}
interface Misfit {
  readonly layout: Layout;
  readonly problem: LoadError;
}

/** H80 is H72 until its records are known. */
const LEADING = [LAYOUTS.H72, LAYOUTS.H96, LAYOUTS.P128];
const SMALLEST = LAYOUTS.H72.header.size;
const LARGEST = LAYOUTS.P128.header.size;

/** Finds the header and the layout of a file of `size` bytes. */
export function* detect(size: number): Reading<Detected> {
  const head = new ByteReader(
    size > 0 ? yield { offset: 0, length: Math.min(size, LARGEST) } : new Uint8Array(0),
  );
  if (head.startsWith(MAGIC)) return yield* detectLeading(head, size);

  const start = Math.max(0, size - LARGEST);
  const tail = size > 0 ? new ByteReader(yield { offset: start, length: size - start }, start) : head;
  const fits = [LAYOUTS.P128, LAYOUTS["H96-trailer"]].flatMap((layout) => {
    const at = size - layout.header.size;
    if (at <= 0 || !tail.startsWith(MAGIC, at - start)) return [];
    return [tryLayout(new ByteReader(tail.bytes.subarray(at - start), at), layout, size)];
  });
  if (fits.length === 0) throw notSmf(head, tail);
  const candidates = fits.filter(isCandidate);
  if (candidates.length === 0) throw (fits as Misfit[])[0].problem;
  return yield* choose(candidates, size);
}

function* detectLeading(head: ByteReader, size: number): Reading<Detected> {
  if (size < SMALLEST) {
    throw new LoadError("InvalidFormat", "Cannot read the header: the file ends inside it", {
      offset: 0,
      value: size,
      range: [SMALLEST, Infinity],
    });
  }
  checkCommonFields(head);
  // Every known writer puts the section table right behind a leading header. One layout
  // of which that is true need not be compared with the others.
  const adjacent: Candidate[] = [];
  for (const layout of LEADING) {
    if (!isAdjacent(head, layout)) continue;
    const fit = tryLayout(head, layout, size);
    if (isCandidate(fit)) adjacent.push(fit);
  }
  if (adjacent.length === 1) return yield* refine(adjacent[0], size);

  const fits = LEADING.map((layout) => tryLayout(head, layout, size));
  const candidates = fits.filter(isCandidate);
  if (candidates.length === 0) throw mostLikelyProblem(head, fits as Misfit[]);
  return yield* refine(yield* choose(candidates, size), size);
}

/** Whether the section table is right behind the header, if this is its layout. */
function isAdjacent(head: ByteReader, { header: { size, fields } }: Layout): boolean {
  const [offset] = fields.section_table_offset;
  return head.length >= size && head.u32(offset) === size && head.u32(offset + 4) === 0;
}

function isCandidate(fit: Candidate | Misfit): fit is Candidate {
  return fit.problem === undefined;
}

function tryLayout(reader: ByteReader, layout: Layout, size: number): Candidate | Misfit {
  const length = layout.header.size;
  try {
    if (reader.length < length) {
      throw new LoadError("InvalidFormat", "Cannot read the header: the file ends inside it", {
        offset: reader.fileOffset,
        value: reader.length,
        range: [length, Infinity],
      });
    }
    if (layout.trailer) checkCommonFields(reader);
    const header = readHeader(reader, layout);
    checkGeometry(header, layout, size);
    return { layout, header, bytes: reader.slice(0, length) };
  } catch (error) {
    if (error instanceof LoadError) return { layout, problem: error };
    throw error;
  }
}

/** One of several layouts that fit. */
function* choose(candidates: readonly Candidate[], size: number): Reading<Candidate> {
  if (candidates.length === 1) return candidates[0];
  const sound: Candidate[] = [];
  for (const candidate of candidates) if (yield* hasSoundSections(candidate, size)) sound.push(candidate);
  if (sound.length === 1) return sound[0];
  throw new LoadError("InvalidFormat", "Cannot tell the layout of the file: more than one fits", {
    offset: candidates[0].header.offset,
    value: candidates.map(({ layout }) => layout.name).join(" or "),
  });
}

/** Whether all section records are valid, with names that someone could have typed. */
function* hasSoundSections(candidate: Candidate, size: number): Reading<boolean> {
  try {
    const sections = yield* readSections(candidate.header, candidate.layout, size);
    return sections.list.every(({ name, type }) => type >= 1 && type <= 16 && /^\P{Cc}*$/u.test(name));
  } catch (error) {
    if (error instanceof LoadError) return false;
    throw error;
  }
}

/** H72 and H80 share every field that is used; H80 is what leaves bytes 72..79 alone. */
function* refine(found: Candidate, size: number): Reading<Detected> {
  const { header, layout } = found;
  if (layout.name !== "H72" || size < LAYOUTS.H80.header.size) return found;
  const { size: length } = LAYOUTS.H80.header;
  const { sectionTableOffset, symbolTableOffset } = header;
  if (sectionTableOffset < length || (symbolTableOffset !== 0 && symbolTableOffset < length)) return found;
  if (sectionTableOffset !== length) {
    const { list } = yield* readSections(header, layout, size);
    if (list.some((section) => section.size > 0 && section.offset < length)) return found;
  }
  return {
    layout: LAYOUTS.H80,
    header: { ...header, layout: "H80" },
    bytes: yield { offset: header.offset, length },
  };
}

/** What to say when no layout fits: what is wrong with the one that the writer most likely meant. */
function mostLikelyProblem(head: ByteReader, misfits: readonly Misfit[]): LoadError {
  const of = (name: LayoutName) => misfits.find(({ layout }) => layout.name === name)?.problem;
  const field = (at: number) => at + 8 <= head.length ? head.bigU64(at) : 0n;
  const said = head.u32(12);
  if (field(16) === 64n && said < 0x1_0000) {
    return new LoadError(
      "Unsupported",
      "Cannot load the file: it has the 64-byte header of an old writer whose offsets are wrong",
      { offset: 16, value: 64 },
    );
  }
  const h72 = of("H72"), h96 = of("H96");
  const likely = field(16) === 72n || field(16) === 80n
    ? h72
    : field(24) === 96n || said === 0
    ? h96
    : field(20) === 128n
    ? of("P128")
    : h72;
  return likely ?? misfits[0].problem;
}

/** Says what the bytes are, if that can be told. */
function notSmf(head: ByteReader, tail: ByteReader): LoadError {
  const container = head.startsWith("LSMF")
    ? "an LSM library archive; load its members one by one"
    : head.startsWith("SSMF") || tail.startsWith("SSMFOFFS", tail.length - 8)
    ? "a settlement (SSMF)"
    : tail.startsWith("SPK1", tail.length - 4)
    ? "an SPK package"
    : undefined;
  if (container !== undefined) {
    return new LoadError("Unsupported", `Cannot load the file: it is ${container}`, { offset: 0 });
  }
  const other = head.startsWith("\x7fELF")
    ? "an ELF file, to be linked into a module first"
    : head.startsWith("!<arch>")
    ? "a static library, to be linked into a module first"
    : head.length === 0
    ? "empty"
    : undefined;
  if (other !== undefined) {
    return new LoadError("InvalidFormat", `Cannot read the file: it is ${other}`, { offset: 0 });
  }
  const found = [...head.bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return new LoadError(
    "InvalidFormat",
    "Cannot read the file: it has no SMF header, neither at its start nor at its end",
    { offset: 0, value: found },
  );
}
