/**
 * Checks a module without loading it: applies the rules of the parser and of
 * the loader past the first problem, and looks for things that are allowed but
 * probably unintended.
 */
import { splitVersion } from "../../load/imports/symbol_version.ts";
import { attempt, LoadError, type Report } from "../../errors/load_error.ts";
import { checkHost, checkThreadLocals, type Host } from "../../load/runtime/host.ts";
import { planImage } from "../../image/plan.ts";
import { type RelocationNeeds, scanRelocations } from "../../image/relocation/scan.ts";
import {
  Arch,
  archName,
  Binding,
  CALL_ENDS_PROCESS,
  Platform,
  SectionFlag,
  SectionType,
  sectionTypeName,
} from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import { Integrity } from "../../smf/integrity.ts";
import { imageOffsets, isLoaded } from "../../smf/offsets.ts";
import { isLoaderName } from "../../os/loader_names.ts";
import { sectionLabel } from "../../smf/section.ts";
import { relocatedImage } from "./relocated_image.ts";
import { publicKeyText } from "../../smf/keys.ts";
import { readSignatures, signedMessage } from "../../smf/signatures.ts";
import { TrustedKeys, verifySignature } from "../../smf/trust.ts";
import { surveySmf } from "../../smf/survey.ts";
import { planThreadLocals } from "../../image/relocation/thread_locals.ts";

/** How bad a finding is: an `error` keeps the module from being loaded. */
export type Level = "error" | "warning" | "note";

/** A problem or remark. */
export interface Finding {
  readonly level: Level;
  /** The error that a loader would throw, or the text of a warning or note. */
  readonly problem: LoadError | string;
}

/** Requirements beyond those of the format. */
export interface Requirements {
  /** The system that would load the module; by default the one that it is built for. */
  readonly host?: Host | undefined;
  /** The integrity string that its bytes must have. */
  readonly integrity?: string | undefined;
  /** Public keys of which one must have signed it; none: anybody or nobody may have. */
  readonly keys?: readonly string[];
  /** Names that other modules define. */
  readonly provided: ReadonlySet<string>;
  /** Whether an import that is not among `provided` is an error. */
  readonly noUndefined: boolean;
}

/** The result of a check. */
export interface Findings {
  readonly list: readonly Finding[];
  /** The parts that were not examined because of an earlier problem. */
  readonly skipped: readonly string[];
}

/** The number of findings after which a check ends. */
export const MAX_FINDINGS = 1000;

/** Ends a check at {@linkcode MAX_FINDINGS}. */
class TooManyFindings extends Error {}

/**
 * Checks a module's bytes.
 *
 * @param step Called with the name of each step as it begins.
 */
export function verifyModule(
  bytes: Uint8Array,
  requirements: Requirements,
  step: (name: string) => void = () => {},
): Findings {
  const list: Finding[] = [];
  const add = (level: Level, problem: LoadError | string): void => {
    list.push({ level, problem });
    if (list.length === MAX_FINDINGS) throw new TooManyFindings();
  };
  const report: Report = (problem) => add("error", problem);
  const skipped: string[] = [];
  try {
    const { integrity, host } = requirements;
    if (integrity !== undefined) attempt(report, () => new Integrity(integrity).check(bytes));
    step("reading the tables");
    const survey = surveySmf(bytes, report);
    skipped.push(...survey.skipped);
    if (survey.header !== undefined && host !== undefined) checkHost(survey.header, host, report);
    if (survey.file !== undefined) {
      new ModuleChecker(survey.file, requirements, add, skipped, step).run(bytes);
    }
  } catch (error) {
    if (!(error instanceof TooManyFindings)) throw error;
    skipped.push(`everything after ${MAX_FINDINGS} findings`);
  }
  return { list, skipped };
}

const PAGE_SIZE = 4096;

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(SectionType));

const DEFINE_IMPORT = "name the module that defines it (--with FILE), or link its object into this module";

/** Checks a file whose tables are sound. */
class ModuleChecker {
  readonly #file: ParsedSmf;
  readonly #requirements: Requirements;
  readonly #add: (level: Level, problem: LoadError | string) => void;
  readonly #report: Report;
  readonly #skipped: string[];
  readonly #step: (name: string) => void;

  constructor(
    file: ParsedSmf,
    requirements: Requirements,
    add: (level: Level, problem: LoadError | string) => void,
    skipped: string[],
    step: (name: string) => void,
  ) {
    this.#file = file;
    this.#requirements = requirements;
    this.#add = add;
    this.#report = (problem) => add("error", problem);
    this.#skipped = skipped;
    this.#step = step;
  }

  run(bytes: Uint8Array): void {
    const { arch } = this.#file.header;
    if (arch === Arch.X86_64 || arch === Arch.Aarch64) {
      this.#step("applying the relocations");
      this.#relocations();
    } else {
      this.#skipped.push(`the relocations: those of ${archName(arch)} are unknown`);
      planImage(this.#file, PAGE_SIZE, { got: 0, plt: 0 }, this.#report);
      this.#undefinedNames(
        [...this.#file.symbols].filter(({ index }) => !this.#file.isDefined(index)).map(({ index }) => index),
      );
    }
    attempt(this.#report, () => this.#file.hostLibraries());
    attempt(this.#report, () => this.#file.homes());
    attempt(this.#report, () => this.#file.entries());
    this.#sections();
    this.#hashes();
    attempt(this.#report, () => this.#signatures(bytes));
  }

  /** Says who has signed the file, whether it has changed since, and whether a required signature is missing. */
  #signatures(bytes: Uint8Array): void {
    const { keys = [] } = this.#requirements;
    const { signatures } = readSignatures(this.#file) ?? { signatures: [] };
    if (keys.length > 0) attempt(this.#report, () => new TrustedKeys(keys).check(bytes, this.#file));
    if (signatures.length === 0) return;
    const message = signedMessage(this.#file, bytes);
    for (const signature of signatures) {
      const key = publicKeyText(signature.key);
      if (verifySignature(message, signature)) this.#add("note", `signed by ${key}`);
      else this.#add("warning", `the signature of ${key} is not of this file: it was changed afterwards`);
    }
  }

  /** Plans the image and applies the relocations to a copy of it. */
  #relocations(): void {
    const file = this.#file;
    const needs = scanRelocations(file, this.#report);
    const plan = planImage(file, PAGE_SIZE, { got: needs.gotCount, plt: needs.pltCount }, this.#report);
    this.#undefinedNames(needs.imports);
    const threadLocals = attempt(this.#report, () => planThreadLocals(file, plan, needs));
    if (threadLocals !== undefined || needs.threadLocal.length > 0) {
      const { platform } = this.#requirements.host ?? file.header;
      attempt(this.#report, () => checkThreadLocals(platform as Platform));
    }
    // Sections that cannot be read are reported by the survey.
    relocatedImage(file, plan, needs, this.#report);
  }

  #undefinedNames(imports: RelocationNeeds["imports"]): void {
    const { symbols } = this.#file;
    const { provided, noUndefined, host } = this.#requirements;
    const isLinux = (host ?? this.#file.header).platform === Platform.Linux;
    for (const index of imports) {
      const name = symbols.name(index);
      if (provided.has(name) || provided.has(splitVersion(name).base) || isLoaderName(name, isLinux)) {
        continue;
      }
      if (symbols.binding(index) === Binding.Weak) {
        const effect = symbols.flags(index) === CALL_ENDS_PROCESS
          ? "a call ends the process if it is undefined"
          : "its address is 0 if it is undefined";
        this.#add("note", `'${name}' is a weak import: ${effect}`);
        continue;
      }
      if (!noUndefined) {
        this.#add("note", `'${name}' is imported: it must be defined when the module is loaded`);
        continue;
      }
      const problem = `Cannot resolve imports: undefined symbol '${name}'`;
      this.#report(new LoadError("UndefinedSymbol", problem, { symbols: [name], hint: DEFINE_IMPORT }));
    }
  }

  /** Looks for flags, types and alignments that are allowed but probably unintended. */
  #sections(): void {
    const { sections, header: { base } } = this.#file;
    const { offsets } = imageOffsets(sections);
    for (const section of sections) {
      const { type, flags, alignment, size, offset } = section;
      const label = `section '${sectionLabel(section)}'`;
      if (!isLoaded(type)) {
        if (!KNOWN_TYPES.has(type)) this.#add("note", `${label} is ignored: its type ${type} is unknown`);
        continue;
      }
      if ((flags & SectionFlag.Write) !== 0 && type === SectionType.RoData) {
        this.#add(
          "warning",
          `${label} has the flag Write, but ${sectionTypeName(type)} sections are read-only`,
        );
      }
      if ((flags & SectionFlag.Exec) !== 0 && type !== SectionType.Code) {
        this.#add("warning", `${label} has the flag Exec, but only Code sections are executable`);
      }
      if (size > 0 && !section.compressed && (offset - base) % alignment !== 0) {
        this.#add(
          "note",
          `${label} is not aligned in the file: offset ${offset}, alignment ${alignment}`,
        );
      }
      const imageOffset = offsets[section.index] ?? 0;
      if (type === SectionType.Code && imageOffset % alignment !== 0) {
        this.#add(
          "warning",
          `${label} is not aligned in memory: image offset ${imageOffset}, alignment ${alignment}`,
        );
      }
    }
  }

  #hashes(): void {
    const { header, checksum, symbols } = this.#file;
    if (header.moduleHash === 0n) {
      this.#add("note", "the file has no module hash: changes to it are not detected");
    } else if (checksum === undefined) {
      this.#add("note", "the module hash is of an unknown kind: it is not checked");
    }
    let exports = 0;
    for (let index = 0; index < symbols.length; index++) if (symbols.isExport(index)) exports++;
    if (exports !== header.exportedCount) {
      this.#add(
        "warning",
        `the header counts ${header.exportedCount} exports, but the symbol table has ${exports}`,
      );
    }
  }
}
