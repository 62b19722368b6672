/**
 * Detects the layout of a file. The version field does not determine it; the
 * offsets of the tables do. A header at the start of the file takes precedence
 * over one at the end, because text in a string table may look like the latter.
 */

import { LoadError } from "../errors/load_error.ts";
import { checkCommonFields, checkGeometry, readCpu, readHeader, type SmfHeader } from "./header.ts";
import { hexBytes } from "./hex_bytes.ts";
import { COPY_AGAIN, LINK_FIRST, WRITE_AGAIN } from "./hints.ts";
import { type Layout, type LayoutName, LAYOUTS, MAGIC } from "./layout.ts";
import { ByteReader, type Reading } from "./reader.ts";
import { readSections } from "./section.ts";

/** A header, and the layout by which to read the rest of its file. */
export interface Detected {
  /** The layout. */
  readonly layout: Layout;
  /** The header, read by that layout. */
  readonly header: SmfHeader;
  /** The header's bytes. */
  readonly bytes: Uint8Array;
}

/** A layout that fits the file. */
interface Candidate extends Detected {
  readonly problem?: undefined;
}

/** A layout that does not fit the file, with the first reason. */
interface Misfit {
  readonly layout: Layout;
  readonly problem: LoadError;
}

/** The layouts to try at the start of a file; {@linkcode tellH80} tells H80 from H72 later. */
const LEADING = [LAYOUTS.H72, LAYOUTS.H96, LAYOUTS.P128];
const SMALLEST_HEADER = LAYOUTS.H72.header.size;
const LARGEST_HEADER = LAYOUTS.P128.header.size;

/** Finds the header and the layout of a file of `size` bytes. */
export function* detect(size: number): Reading<Detected> {
  const head = new ByteReader(
    size > 0 ? yield { offset: 0, length: Math.min(size, LARGEST_HEADER) } : new Uint8Array(0),
  );
  if (head.startsWith(MAGIC)) return yield* detectLeading(head, size);

  const start = Math.max(0, size - LARGEST_HEADER);
  const tail = size > 0 ? new ByteReader(yield { offset: start, length: size - start }, start) : head;
  const fits = [LAYOUTS.P128, LAYOUTS["H96-trailer"]].flatMap((layout) => {
    const at = size - layout.header.size;
    if (at <= 0 || !tail.startsWith(MAGIC, at - start)) return [];
    return [tryLayout(new ByteReader(tail.bytes.subarray(at - start), at), layout, size)];
  });
  if (fits.length === 0) throw explainNotSmf(head, tail);
  const candidates = fits.filter(isCandidate);
  if (candidates.length === 0) throw (fits as Misfit[])[0].problem;
  return yield* choose(candidates, size);
}

function* detectLeading(head: ByteReader, size: number): Reading<Detected> {
  if (size < SMALLEST_HEADER) {
    throw new LoadError("InvalidFormat", "Cannot read the header: the file ends inside it", {
      offset: 0,
      value: size,
      range: [SMALLEST_HEADER, Infinity],
      hint: COPY_AGAIN,
    });
  }
  checkCommonFields(head);
  // Every known writer puts the section table right behind a leading header. If that is
  // true of exactly one layout, the others need not be tried.
  const adjacent: Candidate[] = [];
  for (const layout of LEADING) {
    if (!isAdjacent(head, layout)) continue;
    const fit = tryLayout(head, layout, size);
    if (isCandidate(fit)) adjacent.push(fit);
  }
  if (adjacent.length === 1) return yield* tellH80(adjacent[0], size);

  const fits = LEADING.map((layout) => tryLayout(head, layout, size));
  const candidates = fits.filter(isCandidate);
  if (candidates.length === 0) throw mostLikelyProblem(head, fits as Misfit[]);
  return yield* tellH80(yield* choose(candidates, size), size);
}

/** Whether the section table would be right behind the header in this layout. */
function isAdjacent(head: ByteReader, { header: { size, fields } }: Layout): boolean {
  const [offset] = fields.section_table_offset;
  return head.length >= size && head.u32(offset) === size && head.u32(offset + 4) === 0;
}

function isCandidate(fit: Candidate | Misfit): fit is Candidate {
  return fit.problem === undefined;
}

/** Reads and checks a header by a layout. */
function tryLayout(reader: ByteReader, layout: Layout, size: number): Candidate | Misfit {
  const length = layout.header.size;
  try {
    if (reader.length < length) {
      throw new LoadError("InvalidFormat", "Cannot read the header: the file ends inside it", {
        offset: reader.fileOffset,
        value: reader.length,
        range: [length, Infinity],
        hint: COPY_AGAIN,
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

/** Chooses between several layouts that fit: the one whose section records are all valid. */
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

/** Whether all section records are valid, with known types and without control characters in names. */
function* hasSoundSections(candidate: Candidate, size: number): Reading<boolean> {
  try {
    const sections = yield* readSections(candidate.header, candidate.layout, size);
    return sections.list.every(({ name, type }) => type >= 1 && type <= 16 && /^\P{Cc}*$/u.test(name));
  } catch (error) {
    if (error instanceof LoadError) return false;
    throw error;
  }
}

/** Tells H80 from H72, which share every field in use: in an H80 file nothing starts in bytes 72..79. */
function* tellH80(found: Candidate, size: number): Reading<Detected> {
  const { header, layout } = found;
  if (layout.name !== "H72" || size < LAYOUTS.H80.header.size) return found;
  const { size: length } = LAYOUTS.H80.header;
  const { sectionTableOffset, symbolTableOffset } = header;
  if (sectionTableOffset < length || (symbolTableOffset !== 0 && symbolTableOffset < length)) return found;
  if (sectionTableOffset !== length) {
    const { list } = yield* readSections(header, layout, size);
    if (list.some((section) => section.size > 0 && section.offset < length)) return found;
  }
  const bytes = yield { offset: header.offset, length };
  const cpu = readCpu(new ByteReader(bytes), LAYOUTS.H80);
  return { layout: LAYOUTS.H80, header: { ...header, layout: "H80", cpu }, bytes };
}

/** Returns the problem of the layout that the writer most likely meant, for a file that no layout fits. */
function mostLikelyProblem(head: ByteReader, misfits: readonly Misfit[]): LoadError {
  const problemOf = (name: LayoutName) => misfits.find(({ layout }) => layout.name === name)?.problem;
  const field = (at: number) => at + 8 <= head.length ? head.bigU64(at) : 0n;
  const h72SectionCount = head.u32(12);
  if (field(16) === 64n && h72SectionCount < 0x1_0000) {
    return new LoadError(
      "Unsupported",
      "Cannot load the file: it has the 64-byte header of an old writer, whose offsets are wrong",
      { offset: 16, value: 64, hint: WRITE_AGAIN },
    );
  }
  const h72 = problemOf("H72"), h96 = problemOf("H96");
  const likely = field(16) === 72n || field(16) === 80n
    ? h72
    : field(24) === 96n || h72SectionCount === 0
    ? h96
    : field(20) === 128n
    ? problemOf("P128")
    : h72;
  return likely ?? misfits[0].problem;
}

/** Returns an error that says what the bytes are instead of a module, if that is known. */
function explainNotSmf(head: ByteReader, tail: ByteReader): LoadError {
  const container = head.startsWith("LSMF")
    ? "an LSM library archive"
    : head.startsWith("SSMF") || tail.startsWith("SSMFOFFS", tail.length - 8)
    ? "a settlement (SSMF)"
    : tail.startsWith("SPK1", tail.length - 4)
    ? "an SPK package"
    : undefined;
  if (container !== undefined) {
    return new LoadError("Unsupported", `Cannot load the file: it is ${container}`, {
      offset: 0,
      hint: "unpack it and load the modules in it one by one",
    });
  }
  const refuse = (reason: string, hint: string, value?: string) =>
    new LoadError("InvalidFormat", `Cannot read the file: ${reason}`, {
      offset: 0,
      ...(value !== undefined && { value }),
      hint,
    });
  if (head.startsWith("\x7fELF")) return refuse("it is an ELF file", LINK_FIRST);
  if (head.startsWith("!<arch>")) return refuse("it is a static library", LINK_FIRST);
  if (head.length === 0) {
    return refuse("it is empty", "build it again: its writer was interrupted, or wrote to another file");
  }
  const found = hexBytes(head.bytes.subarray(0, 4), " ");
  return refuse(
    "it has no SMF header, neither at its start nor at its end",
    "check the path: it does not name a module; link objects and libraries with smf link",
    found,
  );
}
