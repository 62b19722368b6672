/**
 * Compares two versions of a module and judges whether a reload from one to
 * the other would succeed. The rules are those that reloads apply; without a
 * running program every export counts as in use.
 */
import { exportPlace, fitOf, isRefused, type PlannedFile, VersionPair } from "../../image/compatibility.ts";
import { hex, inFile } from "../../errors.ts";
import { isAddress, planImage } from "../../image/plan.ts";
import { scanRelocations } from "../../image/relocation/scan.ts";
import { cpuName } from "../../smf/cpu.ts";
import { archName, HeaderFlag, Platform, platformName, symbolTypeName } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import type { SmfHeader } from "../../smf/header.ts";

/** The outcome of a reload, from harmless to impossible. */
export type Verdict = "same" | "safe" | "migrate" | "refused";

/** A difference between the versions. */
export interface Change {
  readonly what: "header" | "export" | "variable" | "symbol" | "section" | "needed";
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** The old and the new state, as text; may be empty. */
  readonly detail: string;
  /** Its effect on a reload: none, a value that is not carried, or a refusal. */
  readonly effect: Verdict;
}

/** A version's file and its path. */
export interface Version {
  readonly path: string;
  readonly file: ParsedSmf;
}

/** All changes, and the worst of their effects. */
export interface Comparison {
  readonly verdict: Verdict;
  readonly changes: readonly Change[];
  /** Variables whose values a reload with `state: "carry"` keeps. */
  readonly carried: readonly string[];
}

const ORDER: readonly Verdict[] = ["same", "safe", "migrate", "refused"];
const PAGE_SIZE = 4096;

/**
 * Compares two versions.
 *
 * @throws {LoadError} if one of them could not be loaded.
 */
export function compare(old: Version, now: Version): Comparison {
  const [previous, candidate] = [old, now].map(planned);
  const [before, after] = [old.file, now.file];
  const variables = compareVariables(previous, candidate);
  const changes = [
    ...compareHeaders(before.header, after.header),
    ...compareExports(previous, candidate),
    ...variables.changes,
    ...compareSymbols(before, after),
    ...compareSections(before, after),
    ...compareImports(before, after),
  ];
  const worst = Math.max(0, ...changes.map(({ effect }) => ORDER.indexOf(effect)));
  return { verdict: ORDER[worst], changes, carried: variables.carried };
}

function planned({ file, path }: Version): PlannedFile {
  return inFile(path, () => {
    const { gotCount, pltCount } = scanRelocations(file);
    return { file, plan: planImage(file, PAGE_SIZE, { got: gotCount, plt: pltCount }) };
  });
}

function compareHeaders(before: SmfHeader, after: SmfHeader): Change[] {
  const changes: Change[] = [];
  const add = (name: string, from: string, to: string, effect: Verdict): void => {
    if (from === to) return;
    changes.push({ what: "header", name, change: "changed", detail: `${from} → ${to}`, effect });
  };
  const runsEverywhere = after.platform === Platform.Any;
  add(
    "platform",
    platformName(before.platform),
    platformName(after.platform),
    runsEverywhere ? "safe" : "refused",
  );
  add("processor", archName(before.arch), archName(after.arch), "refused");
  const cpu = ({ arch, cpu }: SmfHeader): string => cpuName(arch, cpu);
  // Processors that lack it refuse the reload; most have it.
  add("needed processor", cpu(before), cpu(after), "safe");
  add("layout", before.layout, after.layout, "safe");
  const reloadable = ({ flags }: SmfHeader): string => (flags & HeaderFlag.Reloadable) === 0 ? "no" : "yes";
  add("reloadable", reloadable(before), reloadable(after), "safe");
  const entry = ({ flags, entryPoint }: SmfHeader): string =>
    (flags & HeaderFlag.Executable) === 0 ? "none" : hex(entryPoint);
  add("entry point", entry(before), entry(after), "safe");
  return changes;
}

function compareExports(previous: PlannedFile, candidate: PlannedFile): Change[] {
  const changes: Change[] = [];
  for (const { index, name, size } of previous.file.symbols) {
    if (!previous.file.symbols.isExport(index)) continue;
    const old = exportPlace(previous, name);
    if (old === undefined) continue;
    const now = exportPlace(candidate, name);
    const fit = fitOf({ kind: old.kind, size: old.kind === "data" ? size : 0 }, now);
    if (fit === "fits") continue;
    const effect = isRefused(fit, "strict") ? "refused" : "safe";
    changes.push(
      now === undefined ? { what: "export", name, change: "removed", detail: `was ${old.kind}`, effect } : {
        what: "export",
        name,
        change: "changed",
        detail: old.kind === now.kind ? `needs ${size} bytes, has ${now.room}` : `${old.kind} → ${now.kind}`,
        effect,
      },
    );
  }
  for (const { index, name } of candidate.file.symbols) {
    if (!candidate.file.symbols.isExport(index)) continue;
    const now = exportPlace(candidate, name);
    if (now === undefined || exportPlace(previous, name) !== undefined) continue;
    changes.push({ what: "export", name, change: "added", detail: now.kind, effect: "safe" });
  }
  return changes;
}

function compareVariables(
  previous: PlannedFile,
  candidate: PlannedFile,
): { changes: Change[]; carried: string[] } {
  const pair = new VersionPair(previous, candidate);
  const changes: Change[] = [];
  const carried: string[] = [];
  for (const { name, before, reason } of pair.variables()) {
    if (before !== undefined) {
      carried.push(name);
      continue;
    }
    const isNew = !pair.before.has(name);
    changes.push({
      what: "variable",
      name,
      change: isNew ? "added" : "changed",
      detail: isNew ? "" : reason,
      effect: isNew ? "safe" : "migrate",
    });
  }
  for (const { name } of new VersionPair(candidate, previous).variables()) {
    if (pair.after.has(name)) continue;
    changes.push({ what: "variable", name, change: "removed", detail: "its value is lost", effect: "safe" });
  }
  return { changes, carried };
}

/** Size, type and version of symbols that both versions define. */
function compareSymbols(before: ParsedSmf, after: ParsedSmf): Change[] {
  const changes: Change[] = [];
  for (const old of before.symbols) {
    const now = after.symbols.find(old.name);
    if (now === undefined || !before.isDefined(old.index) || !after.isDefined(now.index)) continue;
    if (old.index !== before.symbols.find(old.name)?.index || !isAddress(old.type)) continue;
    const details = [
      ...(old.size === now.size ? [] : [`size ${old.size} → ${now.size}`]),
      ...(old.type === now.type ? [] : [`type ${symbolTypeName(old.type)} → ${symbolTypeName(now.type)}`]),
      ...(old.version === now.version ? [] : [`version ${old.version} → ${now.version}`]),
    ];
    if (details.length === 0) continue;
    changes.push({
      what: "symbol",
      name: old.name,
      change: "changed",
      detail: details.join(", "),
      effect: "safe",
    });
  }
  return changes;
}

function compareSections(before: ParsedSmf, after: ParsedSmf): Change[] {
  const byName = (file: ParsedSmf) => new Map(file.sections.map((section) => [section.name, section]));
  const [old, now] = [byName(before), byName(after)];
  const changes: Change[] = [];
  for (const [name, section] of old) {
    const other = now.get(name);
    const add = (change: Change["change"], detail: string): void =>
      void changes.push({ what: "section", name, change, detail, effect: "safe" });
    if (other === undefined) add("removed", `${section.virtualSize} bytes`);
    else if (other.virtualSize !== section.virtualSize) {
      add("changed", `${section.virtualSize} → ${other.virtualSize} bytes`);
    } else if (!equal(before.contents(section), after.contents(other))) add("changed", "contents");
  }
  for (const [name, { virtualSize }] of now) {
    if (old.has(name)) continue;
    changes.push({ what: "section", name, change: "added", detail: `${virtualSize} bytes`, effect: "safe" });
  }
  return changes;
}

function compareImports(before: ParsedSmf, after: ParsedSmf): Change[] {
  const [old, now] = [new Set(before.imports()), new Set(after.imports())];
  const changes = (names: Set<string>, change: Change["change"], detail: string): Change[] =>
    [...names].map((name) => ({ what: "needed", name, change, detail, effect: "safe" }));
  return [
    ...changes(old.difference(now), "removed", ""),
    ...changes(now.difference(old), "added", "another module or library must define it"),
  ];
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
