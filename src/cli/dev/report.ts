/**
 * The lines that `smf dev` writes about a reload.
 */
import { demangledVariable } from "../../demangle/mod.ts";
import { NEW_VARIABLE } from "../../image/version_pair.ts";
import type { LoadError } from "../../errors/load_error.ts";
import type { CarryReport } from "../../module/carry.ts";
import { type Problem, type ProblemFormat, workflowCommand } from "../terminal/problem_format.ts";
import { type BuildNote, milliseconds } from "./notes.ts";

/** The number of variables that a line names. */
const NAMED = 4;

/** The facts about a new version that the report shows. */
interface Reloaded {
  readonly version: number;
  readonly carried: CarryReport | undefined;
}

/** What helps here, where nobody calls `reload` with options of their own. */
const INCOMPATIBLE = "keep the exports that the program uses, or change it, too, and start it again";

/** One line about a reload, one about new variables, and one for each other that has not simply kept its value. */
export function reloadLines(
  name: string,
  { version, carried }: Reloaded,
  { changed, compiled, linked }: BuildNote,
  reloaded: number,
  now: number,
): string[] {
  const times = [`compiled in ${milliseconds(compiled)}`, `linked ${milliseconds(linked)}`];
  const state = stateText(carried);
  const fresh = carried?.fresh ?? [];
  const added = fresh.filter(({ reason }) => reason === NEW_VARIABLE).map(({ name }) => name);
  return [
    `smf: ${name}: version ${version} in ${milliseconds(now - changed)} (${times.join(", ")}, reloaded ${
      milliseconds(reloaded)
    })${state === "" ? "" : `, ${state}`}`,
    ...(added.length > 0 ? [`smf: ${name}: new: ${listed(added)}`] : []),
    ...fresh.filter(({ reason }) => reason !== NEW_VARIABLE).map(({ name: variable, reason }) =>
      `smf: ${name}: initialized anew: ${printable(shortName(variable))}: ${reason}`
    ),
    ...[...carried?.moved ?? [], ...carried?.converted ?? []].map(({ name: variable, changes }) =>
      `smf: ${name}: converted: ${printable(shortName(variable))}: ${printable(changes.join("; "))}`
    ),
    ...(carried?.initialValueChanged ?? []).map((variable) =>
      `smf: ${name}: keeps its value, but begins with another: ${printable(shortName(variable))}`
    ),
  ];
}

/**
 * The lines about a version that was refused; the one before goes on.
 *
 * @param path The module's file.
 */
export function failureLines(
  name: string,
  error: unknown,
  path: string,
  format: ProblemFormat | undefined,
): string[] {
  const { message, hint, data, kind } = error as Partial<LoadError>;
  return [
    `smf: ${name}: not reloaded, the running version goes on`,
    ...problemLines(message ?? `${error}`, kind === "Incompatible" ? INCOMPATIBLE : hint, {
      file: data?.path ?? path,
    }, format),
  ];
}

/** The lines about a version that has crashed, and the one before that goes on. */
export function crashLines(
  name: string,
  crashed: number,
  continues: number,
  error: LoadError,
  format: ProblemFormat | undefined,
): string[] {
  const { message, hint, data: { frames, path } } = error;
  const source = frames?.find(({ file }) => file !== undefined);
  return [
    `smf: ${name}: version ${crashed} crashed, version ${continues} goes on`,
    ...problemLines(message, hint, { file: source?.file ?? path, line: source?.line }, format),
  ];
}

/** A problem and its next step, as lines for people or as one for GitHub. */
function problemLines(
  message: string,
  hint: string | undefined,
  place: Pick<Problem, "file" | "line">,
  format: ProblemFormat | undefined,
): string[] {
  const lines = [printable(message), ...(hint === undefined ? [] : [`next: ${printable(hint)}`])];
  if (format !== "github") return lines;
  return [workflowCommand({ level: "error", ...place, message: lines.join("\n") })];
}

function stateText(carried: CarryReport | undefined): string {
  if (carried === undefined) return "";
  const how = carried.kept.length > 0 ? "kept" : "carried";
  const names = [...carried.kept, ...carried.carried];
  if (names.length === 0) return "";
  return `${how} ${listed(names)}`;
}

/** The first names of a list, and how many more there are. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).map((each) => printable(shortName(each))).join(", ");
  return `${shown}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ""}`;
}

/** A variable's name as the source writes it, without the object and its hash. */
function shortName(name: string): string {
  return demangledVariable(name.replace(/@.*$/, ""));
}

/**
 * Escapes control characters, so that a name cannot send commands to a terminal. Not the function of the commands:
 * that one needs `@std/cli`, which the program may not have. Line ends stay: some messages have several lines.
 */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, (each) => `\\x${each.charCodeAt(0).toString(16)}`);
}
