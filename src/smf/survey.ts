/**
 * Finds every problem of a file, where the parser stops at the first. The rules
 * are the parser's own; this file only decides where to continue after a problem.
 */

import { attempt, type Report } from "../errors/load_error.ts";
import { checkStoredSize, hashHeader, isMarked, ModuleChecksum, verifyModuleHash } from "./checksum.ts";
import { readContents, readRelocations, refuseForeignCode } from "./contents.ts";
import { detect, type Detected } from "./detect.ts";
import { ParsedSmf, refuseBytecode, SmfFile, symbolsEnd } from "./file.ts";
import { xxh32 } from "./hash.ts";
import type { SmfHeader } from "./header.ts";
import { SectionType } from "./enums.ts";
import { isLoaded } from "./offsets.ts";
import { littleEndianWords, readFrom } from "./reader.ts";
import type { RelocationTable } from "./reloc.ts";
import { readSections, type Sections, type SmfSection } from "./section.ts";
import { SymbolTable, type SymbolTableSource } from "./symbol.ts";
import { checkSymbols } from "./symbol_check.ts";

/** The result of a survey, besides the problems. */
export interface Survey {
  /** The file, if all its tables are valid; section contents may have problems all the same. */
  readonly file: ParsedSmf | undefined;
  /** The header, if it is valid. */
  readonly header: SmfHeader | undefined;
  /** The checks that were skipped because they depend on something invalid, in words. */
  readonly skipped: readonly string[];
}

/**
 * Checks everything that can be checked, and reports every problem. A symbol has
 * one problem at most; checks that need a whole table are skipped if the table has
 * a problem.
 *
 * @param bytes The file; must not change while the result is in use.
 * @param report Called with each problem; if it throws, the survey ends.
 *
 * @example List every problem of a file
 * ```ts
 * import { type LoadError, surveySmf } from "@simple/loader/format";
 * import { assertEquals } from "@std/assert";
 *
 * const problems: LoadError[] = [];
 * surveySmf(Deno.readFileSync("fixtures/malformed/row26_symbol_index.smf"), (problem) => problems.push(problem));
 * assertEquals(problems.map(({ data }) => data.value), [3]);
 * ```
 */
export function surveySmf(bytes: Uint8Array, report: Report): Survey {
  const found = attempt(report, () => readFrom(bytes, detect(bytes.length)));
  if (found !== undefined) return new Surveyor(bytes, found, report).run();
  return { file: undefined, header: undefined, skipped: ["everything after the header"] };
}

/** The survey of a file whose header is valid. */
class Surveyor {
  readonly #bytes: Uint8Array;
  readonly #found: Detected;
  readonly #report: Report;
  readonly #skipped: string[] = [];
  #problems = 0;

  constructor(bytes: Uint8Array, found: Detected, report: Report) {
    this.#bytes = bytes;
    this.#found = found;
    this.#report = (problem) => {
      this.#problems++;
      report(problem);
    };
  }

  run(): Survey {
    const { header, layout } = this.#found;
    const size = this.#bytes.length;
    if (this.#fails(() => refuseBytecode(header, layout))) {
      return { file: undefined, header, skipped: ["everything after the header"] };
    }
    const hasHash = isMarked(this.#found.bytes, layout) && header.moduleHash !== 0n;
    const sizeMatches = !hasHash || !this.#fails(() => checkStoredSize(header, layout, size));

    const sections = this.#sections();
    const list = sections?.list ?? [];
    const source = this.#symbolSource(list);
    const symbols = this.#symbols(source);
    const checksum = hasHash ? this.#checksum(sections, source) : undefined;
    const relocations = sections === undefined ? undefined : this.#relocations(list, checksum);
    for (const section of list) this.#contents(section, checksum);
    if (checksum !== undefined && sizeMatches) {
      this.#fails(() => readFrom(this.#bytes, verifyModuleHash({ checksum, sections: list })));
    }
    const skipped = this.#skipped;
    if (sections === undefined || symbols === undefined || relocations === undefined) {
      return { file: undefined, header, skipped };
    }
    const file = new SmfFile({ header, sections: list, symbols, relocations, size, checksum });
    return { file: new ParsedSmf(file, this.#bytes), header, skipped };
  }

  /** Runs `work`; returns whether it had a problem. */
  #fails(work: () => void): boolean {
    const before = this.#problems;
    attempt(this.#report, work);
    return this.#problems > before;
  }

  /** Runs `work` and returns its result; after a problem, adds to the list of skipped checks instead. */
  #resultOf<T>(skipped: string, work: () => T): T | undefined {
    let result: T | undefined;
    if (!this.#fails(() => result = work())) return result;
    this.#skipped.push(skipped);
    return undefined;
  }

  #sections(): Sections | undefined {
    const { header, layout } = this.#found;
    const { length } = this.#bytes;
    return this.#resultOf(
      "relocations, section contents and the hash of the file",
      () => readFrom(this.#bytes, readSections(header, layout, length, this.#report)),
    );
  }

  #symbolSource(sections: readonly SmfSection[]): SymbolTableSource {
    const { header, layout, bytes } = this.#found;
    const start = header.symbolTableOffset;
    return {
      bytes: this.#bytes.subarray(start, symbolsEnd(header, layout, sections, this.#bytes.length)),
      count: header.symbolCount,
      layout,
      fileOffset: start,
      exportedCount: header.exportedCount,
      marked: isMarked(bytes, layout),
    };
  }

  #symbols(source: SymbolTableSource): SymbolTable | undefined {
    const { bytes, count, layout, fileOffset } = source;
    const records = bytes.subarray(0, count * layout.symbolSize);
    const names = bytes.subarray(records.length);
    const counts = this.#resultOf(
      "duplicate exports, and the targets of symbols and relocations",
      () => checkSymbols(littleEndianWords(records), names, layout, fileOffset, this.#report),
    );
    return counts === undefined ? undefined : new SymbolTable(source, this.#report);
  }

  #checksum(sections: Sections | undefined, symbols: SymbolTableSource): ModuleChecksum | undefined {
    if (sections === undefined) return undefined;
    const { header, layout, bytes } = this.#found;
    const tableHashes = [hashHeader(bytes, layout), xxh32(sections.bytes), xxh32(symbols.bytes)];
    return new ModuleChecksum(header, layout, tableHashes, sections.list, this.#bytes.length);
  }

  #relocations(
    sections: readonly SmfSection[],
    checksum: ModuleChecksum | undefined,
  ): RelocationTable | undefined {
    const { symbolCount } = this.#found.header;
    return this.#resultOf(
      "the places that relocations patch",
      () => readFrom(this.#bytes, readRelocations(sections, symbolCount, checksum, this.#report)),
    );
  }

  /** Checks that compressed bytes decompress and that code is machine code. */
  #contents(section: SmfSection, checksum: ModuleChecksum | undefined): void {
    if (!isLoaded(section.type) || (section.type !== SectionType.Code && !section.compressed)) return;
    const into = new Uint8Array(section.virtualSize);
    this.#fails(() => {
      readFrom(this.#bytes, readContents(section, into, checksum));
      refuseForeignCode(section, into);
    });
  }
}
