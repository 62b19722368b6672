/**
 * `smf watch`: reloads a module whenever its file changes.
 */
import { LoadError } from "../../errors/load_error.ts";
import type { CarryReport } from "../../module/carry.ts";
import type { LoadedModule } from "../../module/handle.ts";
import type { ModuleRegistry } from "../../registry/registry.ts";
import type { WatchEvent } from "../../registry/watch/options.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import {
  createRegistry,
  LOADING_HELP,
  LOADING_LISTS,
  LOADING_SWITCHES,
  LOADING_VALUES,
  noSuchFunction,
} from "./loading.ts";
import { type Options, readOptions } from "../terminal/options.ts";
import { errorJson, reportingErrors, reportModuleError } from "../terminal/problems.ts";
import { ModuleFile } from "./module_file.ts";
import { parseSignature, type Signature } from "./signature.ts";
import { typedSignature } from "./typed_signature.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf watch <file> [<name> [args...] [--signature "result(parameters)"]] [options]

Loads a module and reloads it whenever its file changes, until interrupted (Ctrl-C).
Prints the outcome of each change. With the name of a function, calls it after loading
and after each reload, through a live binding, and prints its result. If a version
cannot be loaded, the old one keeps running. Needs --allow-ffi and --allow-read.

  --signature TEXT    types of the function's result and parameters, as in smf run;
                      default: those that the module keeps
  --state HOW         keep: variables stay where they are; carry: their values are
                      copied; fresh: they start anew; keep-or-carry (default): keep
                      where both versions have homes for variables, else carry
  --take NAME         a variable that takes the new version's initial value although
                      the state is kept or carried; repeatable
  --take-unwritten    so do all variables that the program never wrote and whose
                      initial value has changed
  --old-pointers HOW  keep (default): the old version stays for addresses in
                      variables that the new one has nothing for; refuse: no reload
  --force             take new versions, too, that are not marked reloadable
${LOADING_HELP}
  --json              print one JSON document per line
  --color WHEN        auto (default), always or never

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
  readonly state: "keep" | "carry" | "fresh" | "keep-or-carry";
  readonly take: readonly string[] | "unwritten";
  readonly oldPointers: "keep" | "refuse";
  /** The function to call after each load. */
  readonly call?: {
    readonly name: string;
    readonly texts: readonly string[];
    /** Undefined: the types that the module keeps. */
    readonly signature: Signature | undefined;
  };
}

/**
 * Parses the arguments.
 *
 * @throws {UsageError} if they are wrong.
 */
export function parseWatch(args: readonly string[], output: Output): WatchCommand {
  const options = readOptions(args, {
    values: [...LOADING_VALUES, "signature", "state", "old-pointers"],
    lists: [...LOADING_LISTS, "take"],
    switches: [...LOADING_SWITCHES, "force", "take-unwritten", "json"],
  }, output);
  const [file, name, ...texts] = options.rest;
  if (file === undefined) throw new UsageError("name a file");
  if (file === "-") throw new UsageError("standard input does not change: name a file");
  const state = options.value("state") ?? "keep-or-carry";
  if (state !== "keep" && state !== "carry" && state !== "fresh" && state !== "keep-or-carry") {
    throw new UsageError(`--state takes keep, carry, fresh or keep-or-carry, not '${state}'`);
  }
  const oldPointers = options.value("old-pointers") ?? "keep";
  if (oldPointers !== "keep" && oldPointers !== "refuse") {
    throw new UsageError(`--old-pointers takes keep or refuse, not '${oldPointers}'`);
  }
  const names = options.list("take");
  const takesUnwritten = options.has("take-unwritten");
  if (takesUnwritten && names.length > 0) throw new UsageError("give either --take or --take-unwritten");
  const carrying = { state, oldPointers, take: takesUnwritten ? "unwritten" : names } as const;
  const types = options.value("signature");
  if (types !== undefined && name === undefined) {
    throw new UsageError("--signature needs the name of a function");
  }
  if (name === undefined) return { options, file, ...carrying };
  const signature = types === undefined ? undefined : parseSignature(types);
  signature?.values(texts);
  return { options, file, ...carrying, call: { name, texts, signature } };
}

/** Loads a module and reloads it at each change of its file, until the signal aborts. */
export function watchModule(
  { options, file, state, take, oldPointers, call }: WatchCommand,
  signal: AbortSignal,
): Promise<number> {
  const { writer } = options;
  const json = options.has("json");
  return reportingErrors({ command: "watch", file, writer, json }, async () => {
    using registry = createRegistry(options);
    const module = registry.load(file);
    const watched = call === undefined ? undefined : new WatchedCall(registry, module, file, call);
    const callNow = (): string | undefined => watched?.result();
    /** A function that a version has no more, or with other parameters, does not end the watch. */
    const callAgain = (): string | undefined => {
      try {
        return callNow();
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        writer.complain(`not called: ${error.message}`);
        return undefined;
      }
    };
    const report = (event: Report): void => {
      if (json) printJson(writer, "watch", reportJson(event, file));
      else printReport(event, file, writer);
      writer.flush?.();
    };
    report({ kind: "loaded", version: module.version, result: callNow() });
    const force = options.has("force");
    for await (const event of registry.watch({ paths: [file], state, take, oldPointers, force, signal })) {
      if (event.kind === "unchanged") continue;
      report(event.kind === "reloaded" ? { ...event, result: callAgain() } : event);
    }
  });
}

type Callable = (...values: readonly unknown[]) => unknown;

/** Calls a function of the version that serves, by its own types or by a signature that was given. */
class WatchedCall {
  readonly #registry: ModuleRegistry;
  readonly #module: LoadedModule;
  readonly #file: string;
  readonly #call: NonNullable<WatchCommand["call"]>;
  #bound = "";
  #live: Callable = () => undefined;

  constructor(
    registry: ModuleRegistry,
    module: LoadedModule,
    file: string,
    call: NonNullable<WatchCommand["call"]>,
  ) {
    this.#registry = registry;
    this.#module = module;
    this.#file = file;
    this.#call = call;
  }

  /**
   * Calls the function; its result as text.
   *
   * @throws {UsageError} if the module does not export the function, or it does not take the arguments.
   */
  result(): string | undefined {
    const { name, texts, signature: given } = this.#call;
    const signature = given ?? this.#ownSignature();
    const { definition } = signature;
    const values = signature.values(texts);
    // Each version may have other types.
    const wanted = JSON.stringify(definition);
    if (wanted !== this.#bound) {
      if (this.#module.getFunction(name, definition) === null) {
        throw noSuchFunction(this.#module, name, new ModuleFile(this.#file).exports());
      }
      this.#live = this.#registry.open(this.#file, { [name]: definition }).symbols[name] as Callable;
      this.#bound = wanted;
    }
    return signature.text(this.#live(...values));
  }

  #ownSignature(): Signature {
    const exports = new ModuleFile(this.#file).exports();
    if (exports !== undefined) return typedSignature(exports, this.#call.name);
    throw new UsageError(
      `a function to call needs a name and --signature: ${printable(this.#file)} keeps no types`,
    );
  }
}

/** An event of the watch, or the first load, with the result of the function that is called after it. */
type Report =
  | (WatchEvent & { readonly result?: string | undefined })
  | { readonly kind: "loaded"; readonly version: number; readonly result: string | undefined };

/** An event as JSON; `version` is that of the document, so the module's is `moduleVersion`. */
function reportJson(event: Report, file: string): Readonly<Record<string, unknown>> {
  const { kind } = event;
  if (kind === "failed") {
    const { error } = event;
    const data = error instanceof LoadError ? errorJson(error) : { message: `${error}` };
    return { file, event: kind, error: data };
  }
  if (kind === "skipped") return { file, event: kind, reason: event.reason };
  if (kind === "unchanged") return { file, event: kind };
  const loaded = { file, event: kind, moduleVersion: event.version, result: event.result };
  return kind === "loaded" ? loaded : { ...loaded, milliseconds: event.milliseconds, carried: event.carried };
}

/** The names of the variables that were kept or carried, and how many of them only their size has matched. */
function carriedText({ kept, carried, matchedBySize }: CarryReport): string {
  const names = [...kept, ...carried].map((name) => printable(name)).join(", ");
  return matchedBySize.length === 0 ? names : `${names} (${matchedBySize.length} matched by size alone)`;
}

function printReport(event: Report, file: string, writer: Writer): void {
  const { style } = writer;
  switch (event.kind) {
    case "loaded":
      writer.print(style.good(`loaded ${printable(file)}, version ${event.version}`));
      break;
    case "reloaded": {
      const { version, milliseconds, carried } = event;
      writer.print(style.good(`reloaded: version ${version} in ${milliseconds.toFixed(1)} ms`));
      if (carried !== undefined && carried.kept.length + carried.carried.length > 0) {
        const how = carried.kept.length > 0 ? "kept" : "carried";
        writer.print(style.faint(`  ${how}: ${carriedText(carried)}`));
      }
      for (const { name, changes, fresh } of [...carried?.moved ?? [], ...carried?.converted ?? []]) {
        writer.print(style.faint(printable(`  converted: ${name}: ${changes.join("; ")}`)));
        for (const { name, reason } of fresh) {
          writer.print(style.warning(printable(`  initialized anew: ${name}: ${reason}`)));
        }
      }
      for (const { name, reason } of carried?.fresh ?? []) {
        writer.print(style.warning(`  initialized anew: ${printable(name)}: ${reason}`));
      }
      for (const { name, fate, appended, spare, reason } of carried?.tables ?? []) {
        if (fate === "appended") {
          writer.print(
            style.faint(
              printable(`  virtual functions appended: ${name}: ${appended}, and room for ${spare}`),
            ),
          );
        } else if (fate === "fresh") {
          writer.print(style.warning(printable(`  table made anew: ${name}: ${reason}`)));
        }
      }
      if (carried !== undefined && carried.initialValueChanged.length > 0) {
        const names = carried.initialValueChanged.map((name) => printable(name)).join(", ");
        writer.print(style.warning(`  initial value changed, the old value is kept (--take): ${names}`));
      }
      if (carried?.unused !== undefined && carried.unused.names.length > 0) {
        const names = carried.unused.names.map((name) => printable(name)).join(", ");
        writer.print(style.faint(`  made by initialisers and left unused: ${names}`));
      }
      for (const { name, change } of carried?.changedPointees ?? []) {
        writer.print(style.warning(printable(`  leads to objects of the old layout: ${name}: ${change}`)));
      }
      for (const { name, offset } of carried?.oldPointers ?? []) {
        writer.print(
          style.warning(
            `  still points to what the new version does not use: ${printable(name)} at ${offset}`,
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
    case "unchanged":
      break;
  }
  const result = "result" in event ? event.result : undefined;
  if (result !== undefined) writer.print(printable(result));
}
