/**
 * Colours for terminals, and names for people.
 */
import { demangledText } from "../../demangle/mod.ts";
import { type Output, UsageError } from "./command.ts";
import { printable } from "./table.ts";

/** Decorates text by its role; a plain style returns it unchanged. */
export interface Style {
  heading(text: string): string;
  good(text: string): string;
  warning(text: string): string;
  bad(text: string): string;
  faint(text: string): string;
}

const plain = (text: string): string => text;
/** Switches a rendition on and off again (ECMA-48, SGR). `node:util` would do it, but takes 4 ms to start. */
const rendition = (on: number, off: number) => (text: string): string => `\x1b[${on}m${text}\x1b[${off}m`;

const PLAIN: Style = { heading: plain, good: plain, warning: plain, bad: plain, faint: plain };
const COLOURED: Style = {
  heading: rendition(1, 22),
  good: rendition(32, 39),
  warning: rendition(33, 39),
  bad: rendition(31, 39),
  faint: rendition(2, 22),
};

/** A command's output together with the styles that its options select. */
export interface Writer extends Output {
  /** The style of {@linkcode Output.print}. */
  readonly style: Style;
  /** The style of {@linkcode Output.complain}. */
  readonly complaintStyle: Style;
  /** A text with names from a file as it is shown: escaped, and demangled if `--demangle` asks for it. */
  named(text: string): string;
}

/**
 * Returns an output with the styles that `--color` selects.
 *
 * @param demangles Whether names of C++ and Rust are shown as the sources write them.
 * @throws {UsageError} if `--color` has another value.
 */
export function writerFor(output: Output, color: string | undefined, demangles = false): Writer {
  return {
    ...output,
    named: (text) => printable(demangles ? demangledText(text) : text),
    style: styleFor(color, output.terminals?.print ?? false),
    complaintStyle: styleFor(color, output.terminals?.complain ?? false),
  };
}

/**
 * The style for an output: coloured on a terminal unless `NO_COLOR` is set, or as `--color` says.
 *
 * @throws {UsageError} if `--color` has another value.
 */
export function styleFor(option: string | undefined, isTerminal: boolean): Style {
  switch (option) {
    case "always":
      return COLOURED;
    case "never":
      return PLAIN;
    case undefined:
    case "auto":
      return isTerminal && !Deno.noColor ? COLOURED : PLAIN;
    default:
      throw new UsageError(`--color takes auto, always or never, not '${option}'`);
  }
}
