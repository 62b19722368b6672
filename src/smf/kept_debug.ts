/**
 * The debug information of a module: read from its file when somebody asks for it, or kept as it is in the file,
 * for a module whose file may be gone by then.
 */
import { LoadError } from "../errors/load_error.ts";
import { FREE_EXPANSION, MAX_EXPANSION, MAX_IMAGE_SIZE } from "./limits.ts";
import { readContents } from "./contents.ts";
import { DEBUG_LINK, DEBUG_PLACES, type DebugLink, debugSectionsOf, decodeDebugLink } from "./debug.ts";
import type { SmfFile } from "./file.ts";
import { SectionType } from "./enums.ts";
import { readFrom, type Reading } from "./reader.ts";
import { contentLength, type SmfSection } from "./section.ts";

/** The debug information of a module, decompressed. */
export interface DebugContents {
  /** The contents by the whole names of sections. */
  readonly sections: ReadonlyMap<string, Uint8Array>;
  /** The file that has the debug information instead. */
  readonly link: DebugLink | undefined;
}

/** Whether a file has debug information, or says where it is. */
export function hasDebug({ sections }: Pick<SmfFile, "sections">): boolean {
  return sections.some(({ type }) => type === SectionType.Dwarf);
}

/** Reads the debug information of a file. */
export function* readDebug({ sections }: Pick<SmfFile, "sections">): Reading<DebugContents> {
  const contents = new Map<string, Uint8Array>();
  for (const { name, section } of debugSectionsOf(sections)) contents.set(name, yield* contentsOf(section));
  const find = (name: string) =>
    sections.find((section) => section.type === SectionType.Dwarf && section.name === name);
  const places = find(DEBUG_PLACES), link = find(DEBUG_LINK);
  if (places !== undefined) contents.set(DEBUG_PLACES, yield* contentsOf(places));
  return {
    sections: contents,
    link: link === undefined ? undefined : decodeDebugLink(yield* contentsOf(link)),
  };
}

function* contentsOf(section: SmfSection): Reading<Uint8Array> {
  const length = contentLength(section);
  if (length > MAX_IMAGE_SIZE || length > FREE_EXPANSION + MAX_EXPANSION * section.size) {
    throw new LoadError("InvalidFormat", "Cannot read debug information: a section expands by too much", {
      section: section.name,
      value: length,
    });
  }
  const into = new Uint8Array(length);
  yield* readContents(section, into, undefined);
  return into;
}

/** Debug information as it is in the file, not decompressed. */
export class KeptDebug {
  readonly #sections: readonly SmfSection[];
  readonly #bytes: Uint8Array;

  /** @param sections The sections, whose offsets are those in `bytes`. */
  constructor(sections: readonly SmfSection[], bytes: Uint8Array) {
    this.#sections = sections;
    this.#bytes = bytes;
  }

  /** The bytes that are kept. */
  get size(): number {
    return this.#bytes.byteLength;
  }

  /** The bytes of a section, by its whole name; undefined if there is none, or if it is compressed. */
  stored(name: string): Uint8Array | undefined {
    const found = debugSectionsOf(this.#sections).find((each) => each.name === name)?.section;
    if (found === undefined || found.compressed) return undefined;
    return this.#bytes.subarray(found.offset, found.offset + found.size);
  }

  /** Decompresses it. */
  read(): DebugContents {
    return readFrom(this.#bytes, readDebug({ sections: this.#sections }));
  }
}

/** Reads debug information without decompressing it; undefined if the file has none. */
export function* keepDebug(file: SmfFile): Reading<KeptDebug | undefined> {
  if (!hasDebug(file)) return undefined;
  const sections = file.sections.filter(({ type }) => type === SectionType.Dwarf);
  const bytes = new Uint8Array(sections.reduce((sum, { size }) => sum + size, 0));
  const kept: SmfSection[] = [];
  let end = 0;
  for (const section of sections) {
    const { offset, size } = section;
    if (size > 0) yield { offset, length: size, into: bytes.subarray(end, end + size) };
    kept.push({ ...section, offset: end });
    end += size;
  }
  return new KeptDebug(kept, bytes);
}
