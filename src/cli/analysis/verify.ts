/**
 * Everything that can be said against a module without loading it: the rules
 * of the parser and of the loader, applied past the first problem, and what is
 * allowed but unlikely to be meant.
 */
import { attempt, LoadError, type Report } from "../../errors.ts";
import { checkHost, checkThreadLocals, type Host } from "../../load/runtime/host.ts";
import { planImage } from "../../image/plan.ts";
import { relocate } from "../../image/relocation/relocate.ts";
import { type RelocationNeeds, scanRelocations } from "../../image/relocation/scan.ts";
import {
  Arch,
  archName,
  Binding,
  type Platform,
  SectionFlag,
  SectionType,
  sectionTypeName,
} from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import { Integrity } from "../../smf/integrity.ts";
import { imageOffsets, isLoaded } from "../../smf/offsets.ts";
import { sectionLabel } from "../../smf/section.ts";
import { surveySmf } from "../../smf/survey.ts";
import { planThreadLocals } from "../../image/relocation/thread_locals.ts";

/** How bad a finding is: an `error` keeps the module from being loaded. */
export type Level = "error" | "warning" | "note";

/** One thing that was found. */
export interface Finding {
  readonly level: Level;
  /** The error that a loader gives, or what is to be said. */
  readonly problem: LoadError | string;
}

/** What a module is examined for. */
export interface Examination {
  /** The system that would load it; undefined for whichever it is made for. */
  readonly host?: Host | undefined;
  /** What its bytes must be. */
  readonly integrity?: string | undefined;
  /** Names that others define. */
  readonly provided: ReadonlySet<string>;
  /** Whether all other names must be defined by the module itself. */
  readonly mustBeDefined: boolean;
}

/** What came of it. */
export interface Findings {
  readonly list: readonly Finding[];
  /** What could not be looked at because of a problem before it. */
  readonly skipped: readonly string[];
}

/** So many findings say enough. */
export const MOST_FINDINGS = 1000;

/** Ends a survey whose findings are enough. */
class Enough extends Error {}

/**
 * Examines a module's bytes.
 *
 * @param step Told what begins.
 */
export function findingsOf(
  bytes: Uint8Array,
  examination: Examination,
  step: (what: string) => void = () => {},
): Findings {
  const list: Finding[] = [];
  const add = (level: Level, problem: LoadError | string): void => {
    list.push({ level, problem });
    if (list.length === MOST_FINDINGS) throw new Enough();
  };
  const report: Report = (problem) => add("error", problem);
  const skipped: string[] = [];
  try {
    const { integrity, host } = examination;
    if (integrity !== undefined) attempt(report, () => new Integrity(integrity).check(bytes));
    step("reading the tables");
    const survey = surveySmf(bytes, report);
    skipped.push(...survey.skipped);
    if (survey.header !== undefined && host !== undefined) checkHost(survey.header, host, report);
    if (survey.file !== undefined) new Examiner(survey.file, examination, add, skipped, step).run();
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
    skipped.push(`everything after ${MOST_FINDINGS} findings`);
  }
  return { list, skipped };
}

/** Where a module is pretended to be loaded: far up, as modules are, with all that it imports right behind it. */
const BASE = 0x7000_0000_0000n;
const PAGE_SIZE = 4096;

/** Looks at a file whose tables are sound. */
class Examiner {
  readonly #file: ParsedSmf;
  readonly #examination: Examination;
  readonly #add: (level: Level, problem: LoadError | string) => void;
  readonly #report: Report;
  readonly #skipped: string[];
  readonly #step: (what: string) => void;

  constructor(
    file: ParsedSmf,
    examination: Examination,
    add: (level: Level, problem: LoadError | string) => void,
    skipped: string[],
    step: (what: string) => void,
  ) {
    this.#file = file;
    this.#examination = examination;
    this.#add = add;
    this.#report = (problem) => add("error", problem);
    this.#skipped = skipped;
    this.#step = step;
  }

  run(): void {
    const { arch } = this.#file.header;
    if (arch === Arch.X86_64 || arch === Arch.Aarch64) {
      this.#step("applying the relocations");
      this.#relocations();
    } else {
      this.#skipped.push(`the relocations, those of ${archName(arch)} are not known`);
      planImage(this.#file, PAGE_SIZE, { got: 0, plt: 0 }, this.#report);
      this.#undefinedNames(
        [...this.#file.symbols].filter(({ index }) => !this.#file.isDefined(index)).map(({ index }) => index),
      );
    }
    this.#sections();
    this.#hashes();
  }

  /** Places the image, and applies the relocations to a copy of it. */
  #relocations(): void {
    const file = this.#file;
    const needs = scanRelocations(file, this.#report);
    const plan = planImage(file, PAGE_SIZE, { got: needs.gotCount, plt: needs.pltCount }, this.#report);
    this.#undefinedNames(needs.imports);
    if (needs.threadLocal.length > 0) {
      const { platform } = this.#examination.host ?? file.header;
      attempt(this.#report, () => checkThreadLocals(platform as Platform));
      attempt(this.#report, () => planThreadLocals(file, plan, needs));
    }
    const image = new Uint8Array(plan.size);
    for (const { section, offset } of plan.sections) {
      const contents = attempt(() => {}, () => file.contents(section)); // reported before
      if (contents !== undefined) image.set(contents, offset);
    }
    const imports = new BigUint64Array(needs.imports.length).fill(BASE + BigInt(plan.size));
    relocate(image, file, plan, needs, { base: BASE, imports }, this.#report);
  }

  #undefinedNames(imports: RelocationNeeds["imports"]): void {
    const { symbols } = this.#file;
    const { provided, mustBeDefined } = this.#examination;
    for (const index of imports) {
      const name = symbols.name(index);
      if (provided.has(name)) continue;
      if (symbols.binding(index) === Binding.Weak) {
        this.#add("note", `'${name}' is a weak import: it is 0 if nobody defines it`);
        continue;
      }
      if (!mustBeDefined) {
        this.#add("note", `'${name}' is imported: somebody must define it when the module is loaded`);
        continue;
      }
      const problem = `Cannot resolve imports: nobody defines '${name}'`;
      this.#report(new LoadError("UndefinedSymbol", problem, { symbols: [name] }));
    }
  }

  /** What is allowed but seldom meant. */
  #sections(): void {
    const { sections, header: { base } } = this.#file;
    const { offsets } = imageOffsets(sections);
    for (const section of sections) {
      const { type, flags, alignment, size, offset } = section;
      const what = `section '${sectionLabel(section)}'`;
      if (!isLoaded(type)) {
        const unknown = type < SectionType.Code || type > SectionType.AspectPackDirectory;
        if (unknown) this.#add("note", `${what} is skipped: its type ${type} has no meaning here`);
        continue;
      }
      if ((flags & SectionFlag.Write) !== 0 && type === SectionType.RoData) {
        this.#add(
          "warning",
          `${what} says that it is writable, but ${sectionTypeName(type)} is loaded read-only`,
        );
      }
      if ((flags & SectionFlag.Exec) !== 0 && type !== SectionType.Code) {
        this.#add("warning", `${what} says that it is executable, but only Code sections are`);
      }
      if (size > 0 && !section.compressed && (offset - base) % alignment !== 0) {
        this.#add(
          "note",
          `${what} is not aligned in the file: it is at ${offset}, its alignment ${alignment}`,
        );
      }
      const place = offsets[section.index] ?? 0;
      if (type === SectionType.Code && place % alignment !== 0) {
        this.#add(
          "warning",
          `${what} is not aligned in memory: it is at ${place}, its alignment ${alignment}`,
        );
      }
    }
  }

  #hashes(): void {
    const { header, checksum, symbols } = this.#file;
    if (header.moduleHash === 0n) {
      this.#add("note", "the file carries no hash of itself: a change in it goes unnoticed");
    } else if (checksum === undefined) {
      this.#add("note", "the file's hash of itself is of an unknown kind and not checked");
    }
    let exports = 0;
    for (let index = 0; index < symbols.length; index++) if (symbols.isExport(index)) exports++;
    if (exports !== header.exportedCount) {
      this.#add(
        "warning",
        `the header counts ${header.exportedCount} exports, the symbol table has ${exports}`,
      );
    }
  }
}
