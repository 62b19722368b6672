/**
 * Compares two versions of a module and judges whether a reload from one to
 * the other would succeed. The rules are those that reloads apply; without a
 * running program every export counts as in use.
 */
import {
  exportPlace,
  exportsThreadLocal,
  fitOf,
  isRefused,
  type PlannedFile,
} from "../../image/compatibility.ts";
import type { TypedPair } from "../../image/typed_variables.ts";
import { type ComparedVersion, VersionPair } from "../../image/version_pair.ts";
import { hex, inFile } from "../../errors/load_error.ts";
import { isAddress, planImage } from "../../image/plan.ts";
import { scanRelocations } from "../../image/relocation/scan.ts";
import { cpuName } from "../../smf/cpu.ts";
import { archName, HeaderFlag, Platform, platformName, symbolTypeName } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import type { SmfHeader } from "../../smf/header.ts";
import { type Change, type ComparedVariables, compareVariables, type Effect } from "./compare_variables.ts";
import { equal } from "../../smf/equal.ts";
import { relocatedImage } from "./relocated_image.ts";

/**
 * The outcome of a reload, from harmless to impossible. `compatible` means that
 * nothing in the files speaks against it: what types and functions mean is not
 * in them.
 */
export type Verdict = "identical" | "compatible" | "migrate" | "refused";

export type { Change, Effect };

/** A version's file and its path. */
export interface Version {
  readonly path: string;
  readonly file: ParsedSmf;
}

/** All changes, and the worst of their effects. */
export interface Comparison extends Omit<ComparedVariables, "changes"> {
  readonly verdict: Verdict;
  readonly changes: readonly Change[];
  /** Whether both files tell the types of variables and functions. */
  readonly hasTypes: boolean;
  /** Whether one of the files registers destructors: a reload does not carry their variables. */
  readonly registersDestructors: boolean;
}

const ORDER: readonly Effect[] = ["none", "migrate", "refused"];
const PAGE_SIZE = 4096;

/**
 * Compares two versions.
 *
 * @throws {LoadError} if one of them could not be loaded.
 */
export function compare(old: Version, now: Version): Comparison {
  const [previous, candidate] = [old, now].map(planned);
  const [before, after] = [old.file, now.file];
  const pair = new VersionPair(previous, candidate);
  const variables = compareVariables(pair, before, after);
  const changes = [
    ...compareHeaders(before.header, after.header),
    ...compareExports(previous, candidate, pair.typed),
    ...variables.changes,
    ...compareSymbols(before, after),
    ...compareSections(before, after),
    ...compareImports(before, after),
  ];
  const worst = ORDER[Math.max(0, ...changes.map(({ effect }) => ORDER.indexOf(effect)))];
  const verdict = worst !== "none" ? worst : pair.isIdentical ? "identical" : "compatible";
  const registersDestructors = [before, after].some((file) => file.imports().includes("__cxa_atexit"));
  const { changes: _, ...carrying } = variables;
  return { verdict, changes, hasTypes: pair.typed !== undefined, ...carrying, registersDestructors };
}

function planned({ file, path }: Version): ComparedVersion {
  return inFile(path, () => {
    const needs = scanRelocations(file);
    const plan = planImage(file, PAGE_SIZE, { got: needs.gotCount, plt: needs.pltCount });
    // References to variables of a reloadable module are in its relocations, not in its bytes.
    const code = () => {
      const { offset, length } = plan.code;
      return [{
        offset,
        bytes: relocatedImage(file, plan, needs, () => {}).subarray(offset, offset + length),
      }];
    };
    return { file, plan, homes: file.homes(), code, types: () => inFile(path, () => file.types()) };
  });
}

function compareHeaders(before: SmfHeader, after: SmfHeader): Change[] {
  const changes: Change[] = [];
  const add = (name: string, from: string, to: string, effect: Effect): void => {
    if (from === to) return;
    changes.push({ what: "header", name, change: "changed", detail: `${from} → ${to}`, effect });
  };
  const runsEverywhere = after.platform === Platform.Any;
  add(
    "platform",
    platformName(before.platform),
    platformName(after.platform),
    runsEverywhere ? "none" : "refused",
  );
  add("processor", archName(before.arch), archName(after.arch), "refused");
  const cpu = ({ arch, cpu }: SmfHeader): string => cpuName(arch, cpu);
  // Processors that lack it refuse the reload; most have it.
  add("needed processor", cpu(before), cpu(after), "none");
  add("layout", before.layout, after.layout, "none");
  const reloadable = ({ flags }: SmfHeader): string => (flags & HeaderFlag.Reloadable) === 0 ? "no" : "yes";
  add("reloadable", reloadable(before), reloadable(after), "none");
  const entry = ({ flags, entryPoint }: SmfHeader): string =>
    (flags & HeaderFlag.Executable) === 0 ? "none" : hex(entryPoint);
  add("entry point", entry(before), entry(after), "none");
  return changes;
}

function compareExports(
  previous: PlannedFile,
  candidate: PlannedFile,
  typed: TypedPair | undefined,
): Change[] {
  const changes: Change[] = [];
  for (const { index, name, size } of previous.file.symbols) {
    if (!previous.file.symbols.isExport(index)) continue;
    if (exportsThreadLocal(previous, name)) {
      if (exportsThreadLocal(candidate, name)) continue;
      const now = exportPlace(candidate, name);
      const [change, detail] = now === undefined
        ? ["removed", "was thread-local"] as const
        : ["changed", `thread-local → ${now.kind}`] as const;
      changes.push({ what: "export", name, change, detail, effect: "refused" });
      continue;
    }
    const old = exportPlace(previous, name);
    if (old === undefined) continue;
    const now = exportPlace(candidate, name);
    const fit = fitOf({ kind: old.kind, size: old.kind === "data" ? size : 0 }, now);
    if (fit === "fits") {
      const isUsed = old.kind === "function" || typed?.isScalar(old.index);
      const use = isUsed ? typed?.changedUse(old.index, now!.index) : undefined;
      if (use === undefined) continue;
      const detail = `was ${use.before}, is ${use.after}`;
      changes.push({ what: "export", name, change: "changed", detail, effect: "refused" });
      continue;
    }
    const effect = isRefused(fit, "strict") ? "refused" : "none";
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
    const kind = exportsThreadLocal(candidate, name) ? "thread-local" : exportPlace(candidate, name)?.kind;
    if (kind === undefined || exportsThreadLocal(previous, name)) continue;
    if (exportPlace(previous, name) !== undefined) continue;
    changes.push({ what: "export", name, change: "added", detail: kind, effect: "none" });
  }
  return changes;
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
      effect: "none",
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
      void changes.push({ what: "section", name, change, detail, effect: "none" });
    if (other === undefined) add("removed", `${section.virtualSize} bytes`);
    else if (other.virtualSize !== section.virtualSize) {
      add("changed", `${section.virtualSize} → ${other.virtualSize} bytes`);
    } else if (!equal(before.contents(section), after.contents(other))) add("changed", "contents");
  }
  for (const [name, { virtualSize }] of now) {
    if (old.has(name)) continue;
    changes.push({ what: "section", name, change: "added", detail: `${virtualSize} bytes`, effect: "none" });
  }
  return changes;
}

function compareImports(before: ParsedSmf, after: ParsedSmf): Change[] {
  const [old, now] = [new Set(before.imports()), new Set(after.imports())];
  const changes = (names: Set<string>, change: Change["change"], detail: string): Change[] =>
    [...names].map((name) => ({ what: "needed", name, change, detail, effect: "none" }));
  return [
    ...changes(old.difference(now), "removed", ""),
    ...changes(now.difference(old), "added", "another module or library must define it"),
  ];
}
