/**
 * All that is wrong with a file, where the parser ends at the first problem.
 * The rules are the parser's own; only where to go on after one is broken is
 * decided here.
 */

import { attempt, type Report } from "../errors.ts";
import { checkStoredSize, hashHeader, isMarked, ModuleChecksum } from "./checksum.ts";
import { detect, type Detected } from "./detect.ts";
import {
  ParsedSmf,
  readContents,
  readRelocations,
  refuseBytecode,
  refuseForeignCode,
  SmfFile,
  symbolsEnd,
  verifyModuleHash,
} from "./file.ts";
import { xxh32 } from "./hash.ts";
import type { SmfHeader } from "./header.ts";
import { SectionType } from "./enums.ts";
import { isLoaded } from "./offsets.ts";
import { littleEndianWords, readFrom } from "./reader.ts";
import type { RelocationTable } from "./reloc.ts";
import { readSections, type Sections, type SmfSection } from "./section.ts";
import { SymbolTable, type SymbolTableSource } from "./symbol.ts";
import { checkSymbols } from "./symbol_check.ts";

/** What was found. */
export interface Survey {
  /** The file, if all its tables are sound; its contents may not be. */
  readonly file: ParsedSmf | undefined;
  /** The header, if there is one. */
  readonly header: SmfHeader | undefined;
  /** What could not be looked at because of a problem before it, for people. */
  readonly skipped: readonly string[];
}

/**
 * Looks at everything that can be looked at. A symbol has one finding at most;
 * what needs the whole of a table that is broken is left out, and said so.
 *
 * @param bytes The file; must not change while the result is in use.
 * @param report Told about each problem; what it throws ends the survey.
 *
 * @example Everything that is wrong with a file
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
  return { file: undefined, header: undefined, skipped: ["everything behind the header"] };
}

/** One look at a file whose header is sound. */
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
      return { file: undefined, header, skipped: ["everything behind the header"] };
    }
    const isHashed = isMarked(this.#found.bytes, layout) && header.moduleHash !== 0n;
    const hasItsSize = !isHashed || !this.#fails(() => checkStoredSize(header, layout, size));

    const sections = this.#sections();
    const list = sections?.list ?? [];
    const source = this.#symbolSource(list);
    const symbols = this.#symbols(source);
    const checksum = isHashed ? this.#checksum(sections, source) : undefined;
    const relocations = sections === undefined ? undefined : this.#relocations(list, checksum);
    for (const section of list) this.#contents(section, checksum);
    if (checksum !== undefined && hasItsSize) {
      this.#fails(() => readFrom(this.#bytes, verifyModuleHash({ checksum, sections: list })));
    }
    const skipped = this.#skipped;
    if (sections === undefined || symbols === undefined || relocations === undefined) {
      return { file: undefined, header, skipped };
    }
    const file = new SmfFile({ header, sections: list, symbols, relocations, size, checksum });
    return { file: new ParsedSmf(file, this.#bytes), header, skipped };
  }

  /** Whether there was any problem in `work`. */
  #fails(work: () => void): boolean {
    const before = this.#problems;
    attempt(this.#report, work);
    return this.#problems > before;
  }

  /** The result of `work`, if all of it is sound. */
  #sound<T>(skipped: string, work: () => T): T | undefined {
    let result: T | undefined;
    if (!this.#fails(() => result = work())) return result;
    this.#skipped.push(skipped);
    return undefined;
  }

  #sections(): Sections | undefined {
    const { header, layout } = this.#found;
    const { length } = this.#bytes;
    return this.#sound(
      "relocations, contents and the hash of the file",
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
    const globals = this.#sound(
      "whether names are exported twice, and what symbols and relocations refer to",
      () => checkSymbols(littleEndianWords(records), names, layout, fileOffset, this.#report),
    );
    return globals === undefined ? undefined : new SymbolTable(source, this.#report);
  }

  #checksum(sections: Sections | undefined, symbols: SymbolTableSource): ModuleChecksum | undefined {
    if (sections === undefined) return undefined;
    const { header, layout, bytes } = this.#found;
    const tables = [hashHeader(bytes, layout), xxh32(sections.bytes), xxh32(symbols.bytes)];
    return new ModuleChecksum(header, layout, tables, sections.list, this.#bytes.length);
  }

  #relocations(
    sections: readonly SmfSection[],
    checksum: ModuleChecksum | undefined,
  ): RelocationTable | undefined {
    const { symbolCount } = this.#found.header;
    return this.#sound(
      "what relocations patch",
      () => readFrom(this.#bytes, readRelocations(sections, symbolCount, checksum, this.#report)),
    );
  }

  /** Whether code may be code, and what is compressed comes out again. */
  #contents(section: SmfSection, checksum: ModuleChecksum | undefined): void {
    if (!isLoaded(section.type) || (section.type !== SectionType.Code && !section.compressed)) return;
    const into = new Uint8Array(section.virtualSize);
    this.#fails(() => {
      readFrom(this.#bytes, readContents(section, into, checksum));
      refuseForeignCode(section, into);
    });
  }
}
