/**
 * `smf watch`: reloads a module whenever its file changes.
 */
import { LoadError } from "../../errors.ts";
import type { LoadedModule } from "../../module/handle.ts";
import type { WatchEvent } from "../../registry/watch/options.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { LOADING_HELP, LOADING_LISTS, registryOf } from "./loading.ts";
import { type Options, readOptions } from "../terminal/options.ts";
import { complainOf, errorData, examining } from "../terminal/problems.ts";
import { noFunction } from "./run.ts";
import { parseSignature } from "./signature.ts";
import { printable } from "../terminal/table.ts";

const HELP = `smf watch <file> [<name> [args...] --signature "result(parameters)"] [options]

Loads a module and reloads it whenever its file changes, until it is interrupted
(Ctrl-C). Prints what became of each change; with --signature it calls a function
after loading and after each reload, through a binding that follows reloads, and
prints what it returns. A version that cannot be loaded leaves the old one running.
Needs --allow-ffi and --allow-read.

  --signature TEXT    types of the function's result and parameters, as in smf run
  --state HOW         carry (default): variables keep their values; fresh: they do not
  --force             reload although the module is not marked reloadable
${LOADING_HELP}
  --json              print one JSON document a line
  --color WHEN        auto (default), always or never

Examples:
  smf watch counter.smf
  smf watch counter.smf count --signature "i64()"
  smf watch plugin.smf --state fresh --force --library libm.so.6`;

/** The command. */
export const watch: Command = {
  help: HELP,
  async run(args: readonly string[], output: Output): Promise<number> {
    const options = readWatch(args, output);
    using stop = new Interruption();
    return await watchModule(options, stop.signal);
  },
};

/** Aborts at an interrupt, which then does not end the process by itself. */
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

/** What was asked for. */
export interface WatchCommand {
  readonly options: Options;
  readonly file: string;
  readonly state: "carry" | "fresh";
  /** What to call after each load. */
  readonly call?: {
    readonly name: string;
    readonly signature: ReturnType<typeof parseSignature>;
    readonly values: readonly unknown[];
  };
}

/** Reads the arguments. */
export function readWatch(args: readonly string[], output: Output): WatchCommand {
  const options = readOptions(args, {
    values: ["signature", "state"],
    lists: LOADING_LISTS,
    switches: ["force", "json"],
  }, output);
  const [file, name, ...texts] = options.rest;
  if (file === undefined) throw new UsageError("say which file");
  if (file === "-") throw new UsageError("standard input does not change: say which file");
  const state = options.value("state") ?? "carry";
  if (state !== "carry" && state !== "fresh") {
    throw new UsageError(`--state takes carry or fresh, not '${state}'`);
  }
  const types = options.value("signature");
  if ((types === undefined) !== (name === undefined)) {
    throw new UsageError("a function to call has both, a name and --signature");
  }
  if (types === undefined) return { options, file, state };
  const signature = parseSignature(types);
  return { options, file, state, call: { name, signature, values: signature.values(texts) } };
}

/** Watches until the signal. */
export function watchModule(
  { options, file, state, call }: WatchCommand,
  signal: AbortSignal,
): Promise<number> {
  const { writer } = options;
  const json = options.has("json");
  return examining({ command: "watch", file, writer, json }, async () => {
    using registry = registryOf(options);
    const module = registry.load(file);
    const callNow = call === undefined
      ? () => undefined
      : liveCall(module, call, () =>
        registry.open(file, { [call.name]: call.signature.definition }).symbols[call.name]);
    const tell = (event: Told): void => {
      if (json) printJson(writer, "watch", toldData(event, file));
      else printTold(event, file, writer);
      writer.flush?.();
    };
    tell({ kind: "loaded", version: module.version, result: callNow() });
    const force = options.has("force");
    for await (const event of registry.watch({ paths: [file], state, force, signal })) {
      if (event.kind === "unchanged") continue;
      tell(event.kind === "reloaded" ? { ...event, result: callNow() } : event);
    }
  });
}

function liveCall(
  module: LoadedModule,
  { name, signature, values }: NonNullable<WatchCommand["call"]>,
  open: () => unknown,
): () => string | undefined {
  if (module.getFunction(name, signature.definition) === null) throw noFunction(module, name);
  const live = open() as (...values: unknown[]) => unknown;
  return () => signature.text(live(...values));
}

/** What is told: an event of the watch, or that it begins; and what the function returned. */
type Told =
  | (WatchEvent & { readonly result?: string | undefined })
  | { readonly kind: "loaded"; readonly version: number; readonly result: string | undefined };

/** The version of a module is not that of the JSON. */
function toldData(event: Told, file: string): Readonly<Record<string, unknown>> {
  const { kind } = event;
  if (kind === "failed") {
    const { error } = event;
    const data = error instanceof LoadError ? errorData(error) : { message: `${error}` };
    return { file, event: kind, error: data };
  }
  if (kind === "skipped" || kind === "unchanged") return { file, event: kind };
  const told = { file, event: kind, moduleVersion: event.version, result: event.result };
  return kind === "loaded" ? told : { ...told, milliseconds: event.milliseconds, carried: event.carried };
}

function printTold(event: Told, file: string, writer: Writer): void {
  const { style } = writer;
  switch (event.kind) {
    case "loaded":
      writer.print(style.good(`loaded ${printable(file)}, version ${event.version}`));
      break;
    case "reloaded": {
      const { version, milliseconds, carried } = event;
      writer.print(style.good(`reloaded: version ${version} in ${milliseconds.toFixed(1)} ms`));
      if (carried !== undefined && carried.carried.length > 0) {
        writer.print(style.faint(`  carried: ${carried.carried.map((name) => printable(name)).join(", ")}`));
      }
      for (const { name, reason } of carried?.fresh ?? []) {
        writer.print(style.warning(`  starts anew: ${printable(name)}: ${reason}`));
      }
      for (const { name, offset } of carried?.oldPointers ?? []) {
        writer.print(style.warning(`  still points into the old version: ${printable(name)} at ${offset}`));
      }
      break;
    }
    case "skipped":
      writer.print(
        style.warning("changed, but not marked reloadable: link it with --reloadable, or watch with --force"),
      );
      break;
    case "failed":
      writer.print(style.bad("failed: the version before goes on"));
      if (event.error instanceof LoadError) complainOf(event.error, file, writer);
      else writer.complain(`${event.error}`);
      break;
    case "unchanged":
      break;
  }
  const result = "result" in event ? event.result : undefined;
  if (result !== undefined) writer.print(printable(result));
}
