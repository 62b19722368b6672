/**
 * `smf watch`: reloads a module whenever its file changes.
 */
import { describeFrame } from "../../errors/crash.ts";
import { LoadError } from "../../errors/load_error.ts";
import type { CarryReport } from "../../module/carry.ts";
import { HAS_GUARDS } from "../../load/runtime/crash_guard.ts";
import type { WatchEvent } from "../../registry/watch/options.ts";
import { AT_HELP, type ReloadTime, reloadTime } from "../terminal/at.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { createRegistry, LOADING_HELP, LOADING_LISTS, LOADING_SWITCHES, LOADING_VALUES } from "./loading.ts";
import { type Options, readOptions } from "../terminal/options.ts";
import { errorJson, reportingErrors, reportModuleError } from "../terminal/problems.ts";
import { parseSignature } from "./signature.ts";
import { type State, STATE_HELP, stateNamed } from "../terminal/state.ts";
import { printable } from "../terminal/table.ts";
import { type CallRequest, type CrashedCall, takeBack, WatchedCall } from "./watched_call.ts";

const HELP = `smf watch <file> [<name> [args...] [--signature "result(parameters)"]] [options]

Loads a module and reloads it whenever its file changes, until interrupted (Ctrl-C).
Prints the outcome of each change. With the name of a function, calls it after loading
and after each reload, through a live binding, and prints its result. If a version
cannot be loaded, or crashes in that call, the old one keeps running. Needs --allow-ffi
and --allow-read.

  --signature TEXT    types of the function's result and parameters, as in smf run;
                      default: those that the module keeps
${STATE_HELP}
${AT_HELP}
  --take NAME         a variable that takes the new version's initial value although
                      the state is kept or carried; repeatable
  --take-unwritten    so do all variables that the program never wrote and whose
                      initial value has changed
  --old-pointers HOW  keep (default): the old version stays for addresses in
                      variables that the new one has nothing for; refuse: no reload
  --on-crash HOW      of a crash in the function: throw (default): say where it was,
                      and go back to the version before; end: it ends the
                      process
  --force             take new versions, too, that are not marked reloadable
${LOADING_HELP}
  --json              print one JSON document per line
  --color WHEN        auto (default), always or never

Exit codes: 0 when it is ended, 1 a bad file at the start, 2 wrong usage, a file that
cannot be read or a missing permission.

Examples:
  smf watch counter.smf
  smf watch counter.smf count
  smf watch plugin.smf --state fresh --force --library libm.so.6`;

export const watch: Command = {
  help: HELP,
  async run(args: readonly string[], output: Output): Promise<number> {
    const options = parseWatch(args, output);
    using stop = new Interruption();
    return await watchModule(options, stop.signal);
  },
};

/** Aborts its signal at an interrupt, which then does not end the process. */
class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener = (): void => this.#controller.abort();
  readonly signal: AbortSignal = this.#controller.signal;

  constructor() {
    Deno.addSignalListener("SIGINT", this.#listener);
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#listener);
  }
}

/** The parsed arguments. */
export interface WatchCommand {
  readonly options: Options;
  readonly file: string;
  readonly state: State;
  readonly take: readonly string[] | "unwritten";
  readonly oldPointers: "keep" | "refuse";
  readonly when: ReloadTime;
  /** The function to call after each load. */
  readonly call?: CallRequest;
  readonly onCrash: "throw" | "end";
}

/**
 * Parses the arguments.
 *
 * @throws {UsageError} if they are wrong.
 */
export function parseWatch(args: readonly string[], output: Output): WatchCommand {
  const options = readOptions(args, {
    values: [...LOADING_VALUES, "signature", "state", "at", "timeout", "old-pointers", "on-crash"],
    lists: [...LOADING_LISTS, "take"],
    switches: [...LOADING_SWITCHES, "force", "take-unwritten", "json"],
    alias: { C: "demangle" },
  }, output);
  const [file, name, ...texts] = options.rest;
  if (file === undefined) throw new UsageError("name a file");
  if (file === "-") throw new UsageError("standard input does not change: name a file");
  const state = stateNamed(options.value("state"));
  const oldPointers = options.value("old-pointers") ?? "keep";
  if (oldPointers !== "keep" && oldPointers !== "refuse") {
    throw new UsageError(`--old-pointers takes keep or refuse, not '${oldPointers}'`);
  }
  const names = options.list("take");
  const takesUnwritten = options.has("take-unwritten");
  if (takesUnwritten && names.length > 0) throw new UsageError("give either --take or --take-unwritten");
  const onCrash = options.value("on-crash") ?? (HAS_GUARDS ? "throw" : "end");
  if (onCrash !== "throw" && onCrash !== "end") {
    throw new UsageError(`--on-crash takes throw or end, not '${onCrash}'`);
  }
  const when = reloadTime(options.value("at"), options.value("timeout"));
  const carrying = { onCrash, state, oldPointers, when, take: takesUnwritten ? "unwritten" : names } as const;
  const types = options.value("signature");
  if (types !== undefined && name === undefined) {
    throw new UsageError("--signature needs the name of a function");
  }
  if (name === undefined) return { options, file, ...carrying };
  const signature = types === undefined ? undefined : parseSignature(types);
  if (signature?.name !== undefined && signature.name !== name) {
    throw new UsageError(`--signature declares '${signature.name}', the function to call is '${name}'`);
  }
  signature?.values(texts);
  return { options, file, ...carrying, call: { name, texts, signature } };
}

/** Loads a module and reloads it at each change of its file, until the signal aborts. */
export function watchModule(
  { options, file, state, take, oldPointers, when, call, onCrash }: WatchCommand,
  signal: AbortSignal,
): Promise<number> {
  const { writer } = options;
  const json = options.has("json");
  return reportingErrors({ command: "watch", file, writer, json }, async () => {
    using registry = createRegistry(options, { onCrash });
    const module = registry.load(file);
    const watched = call === undefined ? undefined : new WatchedCall(registry, module, file, call);
    const report = (event: Report): void => {
      if (json) printJson(writer, "watch", reportJson(event, file));
      else printReport(event, file, writer);
      writer.flush?.();
    };
    /** Reports a version with the result of the call. A crash of the version does not end the watch. */
    const callAndReport = (event: Report, result: () => string | undefined): void => {
      try {
        report({ ...event, result: result() } as Report);
      } catch (error) {
        if (!(error instanceof LoadError) || error.kind !== "Crashed") throw error;
        report(event);
        report(takeBack(registry, file, error, { state }));
      }
    };
    /** A function that a version has no more, or with other parameters, does not end the watch. */
    const callAgain = (): string | undefined => {
      try {
        return watched?.result();
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        writer.complain(`not called: ${error.message}`);
        return undefined;
      }
    };
    callAndReport({ kind: "loaded", version: module.version, result: undefined }, () => watched?.result());
    const force = options.has("force");
    const watching = { paths: [file], state, take, oldPointers, force, signal, ...when };
    for await (const event of registry.watch(watching)) {
      if (event.kind === "unchanged") continue;
      if (event.kind === "reloaded") callAndReport(event, callAgain);
      else report(event);
    }
  });
}

/** An event of the watch, or the first load, with the result of the function that is called after it. */
type Report =
  | (WatchEvent & { readonly result?: string | undefined })
  | { readonly kind: "loaded"; readonly version: number; readonly result: string | undefined }
  | CrashedCall;

/** An event as JSON; `version` is that of the document, so the module's is `moduleVersion`. */
function reportJson(event: Report, file: string): Readonly<Record<string, unknown>> {
  const { kind } = event;
  if (kind === "failed") {
    const { error } = event;
    const data = error instanceof LoadError ? errorJson(error) : { message: `${error}` };
    return { file, event: kind, error: data };
  }
  if (kind === "crashed") {
    const { version, continues, error } = event;
    return { file, event: kind, moduleVersion: version, continues, error: errorJson(error) };
  }
  if (kind === "skipped") return { file, event: kind, reason: event.reason };
  if (kind === "unchanged") return { file, event: kind };
  const loaded = { file, event: kind, moduleVersion: event.version, result: event.result };
  return kind === "loaded" ? loaded : { ...loaded, milliseconds: event.milliseconds, carried: event.carried };
}

/** The names of the variables that were kept or carried, and how many of them only their size has matched. */
function carriedText({ kept, carried, matchedBySize }: CarryReport, named: Writer["named"]): string {
  const names = [...kept, ...carried].map((name) => named(name)).join(", ");
  return matchedBySize.length === 0 ? names : `${names} (${matchedBySize.length} matched by size alone)`;
}

function printReport(event: Report, file: string, writer: Writer): void {
  const { style, named } = writer;
  switch (event.kind) {
    case "loaded":
      writer.print(style.good(`loaded ${printable(file)}, version ${event.version}`));
      break;
    case "reloaded": {
      const { version, milliseconds, carried } = event;
      writer.print(style.good(`reloaded: version ${version} in ${milliseconds.toFixed(1)} ms`));
      if (carried !== undefined && carried.kept.length + carried.carried.length > 0) {
        const how = carried.kept.length > 0 ? "kept" : "carried";
        writer.print(style.faint(`  ${how}: ${carriedText(carried, named)}`));
      }
      for (const { name, changes, fresh } of [...carried?.moved ?? [], ...carried?.converted ?? []]) {
        writer.print(style.faint(named(`  converted: ${name}: ${changes.join("; ")}`)));
        for (const { name, reason } of fresh) {
          writer.print(style.warning(named(`  initialized anew: ${name}: ${reason}`)));
        }
      }
      for (const { name, reason } of carried?.fresh ?? []) {
        writer.print(style.warning(`  initialized anew: ${named(name)}: ${reason}`));
      }
      for (const { name, fate, appended, spare, reason } of carried?.tables ?? []) {
        if (fate === "appended") {
          writer.print(
            style.faint(
              named(`  virtual functions appended: ${name}: ${appended}, and room for ${spare}`),
            ),
          );
        } else if (fate === "fresh") {
          writer.print(style.warning(named(`  table made anew: ${name}: ${reason}`)));
        }
      }
      if (carried !== undefined && carried.initialValueChanged.length > 0) {
        const names = carried.initialValueChanged.map((name) => named(name)).join(", ");
        writer.print(style.warning(`  initial value changed, the old value is kept (--take): ${names}`));
      }
      if (carried?.unused !== undefined && carried.unused.names.length > 0) {
        const names = carried.unused.names.map((name) => named(name)).join(", ");
        writer.print(style.faint(`  made by initialisers and left unused: ${names}`));
      }
      for (const { name, change } of carried?.changedPointees ?? []) {
        writer.print(style.warning(named(`  leads to objects of the old layout: ${name}: ${change}`)));
      }
      for (const { name, offset } of carried?.oldPointers ?? []) {
        writer.print(
          style.warning(
            `  still points to what the new version does not use: ${named(name)} at ${offset}`,
          ),
        );
      }
      break;
    }
    case "skipped":
      writer.print(
        style.warning(`skipped: ${event.reason}: link it with --reloadable, or watch with --force`),
      );
      break;
    case "failed":
      writer.print(style.bad("failed: the previous version keeps running"));
      if (event.error instanceof LoadError) reportModuleError(event.error, file, writer);
      else writer.complain(`${event.error}`);
      break;
    case "crashed":
      printCrash(event, file, writer);
      break;
    case "unchanged":
      break;
  }
  const result = "result" in event ? event.result : undefined;
  if (result !== undefined) writer.print(printable(result));
}

function printCrash({ version, continues, error }: CrashedCall, file: string, writer: Writer): void {
  const then = continues === undefined ? "its next save is taken" : `version ${continues} keeps running`;
  writer.print(writer.style.bad(`crashed: version ${version}; ${then}`));
  reportModuleError(error, file, writer);
  for (const frame of error.data.frames!) writer.complain(printable(`  at ${describeFrame(frame)}`));
}
