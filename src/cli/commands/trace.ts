/**
 * The option `--trace` of the commands that load modules: prints what the loader does.
 */
import { hex } from "../../errors/load_error.ts";
import { didYouMean, nearestWord } from "../../errors/names.ts";
import type { TraceEvent, TraceKind } from "../../load/trace.ts";
import { UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";

/** The help on the option. */
export const TRACE_HELP =
  `  --trace LIST        print what the loader does, on standard error: all, or a list of
                      read, place, resolve, relocate, start, bind, promote, reload, hold,
                      release, free and watch, with commas`;

/** Every kind, so that a new one cannot be forgotten. */
const KINDS: Readonly<Record<TraceKind, true>> = {
  read: true,
  place: true,
  resolve: true,
  relocate: true,
  start: true,
  bind: true,
  promote: true,
  reload: true,
  hold: true,
  release: true,
  free: true,
  watch: true,
};

/**
 * Returns the listener that prints the events of the kinds that are wanted; undefined if none are.
 *
 * @throws {UsageError} for a kind that does not exist.
 */
export function traceListener(
  list: string | undefined,
  output: Pick<Writer, "complain" | "named">,
): ((event: TraceEvent) => void) | undefined {
  if (list === undefined) return undefined;
  const names = Object.keys(KINDS);
  const wanted = new Set(list === "all" ? names : list.split(","));
  for (const name of wanted) {
    if (names.includes(name)) continue;
    throw new UsageError(
      `--trace takes all, or a list of ${names.join(", ")}; there is no '${name}'${
        didYouMean(nearestWord(name, names))
      }`,
    );
  }
  return (event) => {
    if (wanted.has(event.kind)) output.complain(output.named(traceLine(event)));
  };
}

/** An event as one line. */
export function traceLine(event: TraceEvent): string {
  const { kind, path, version } = event;
  return `${kind.padEnd(8)} ${version === 1 ? path : `${path} (version ${version})`}${factsText(event)}`;
}

function factsText(event: TraceEvent): string {
  switch (event.kind) {
    case "read":
      return `: ${event.size} bytes in ${time(event)}`;
    case "place":
      return `: ${event.size} bytes at ${hex(event.address)} in ${time(event)}`;
    case "resolve":
      return `: '${event.name}' by ${event.from}${event.address === 0n ? "" : ` at ${hex(event.address)}`}`;
    case "relocate":
      return `: ${event.relocations} relocation${event.relocations === 1 ? "" : "s"} in ${time(event)}`;
    case "start":
      return `: initialisers in ${time(event)}`;
    case "bind":
    case "promote":
      return `: '${event.name}' at ${hex(event.address)}, calls: ${event.callPath}`;
    case "reload":
      return `: ${event.step} in ${time(event)}`;
    case "hold":
    case "release":
      return `: ${event.holder}`;
    case "free":
      return `: ${event.size} bytes`;
    case "watch":
      return ": the file may have changed";
  }
}

function time({ milliseconds }: { readonly milliseconds: number }): string {
  return `${milliseconds.toFixed(milliseconds < 10 ? 2 : 0)} ms`;
}
