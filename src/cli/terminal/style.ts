/**
 * Colours for terminals.
 */
import { styleText } from "node:util";
import { type Output, UsageError } from "./command.ts";

/** Decorates text by its role; a plain style returns it unchanged. */
export interface Style {
  heading(text: string): string;
  good(text: string): string;
  warning(text: string): string;
  bad(text: string): string;
  faint(text: string): string;
}

const plain = (text: string): string => text;
/** `styleText`, of which the types of Deno 2.4 lack the options. */
const decorate: (
  format: Parameters<typeof styleText>[0],
  text: string,
  options: { readonly validateStream: boolean },
) => string = styleText;
const colour = (format: Parameters<typeof styleText>[0]) => (text: string): string =>
  decorate(format, text, { validateStream: false });

const PLAIN: Style = { heading: plain, good: plain, warning: plain, bad: plain, faint: plain };
const COLOURED: Style = {
  heading: colour("bold"),
  good: colour("green"),
  warning: colour("yellow"),
  bad: colour("red"),
  faint: colour("dim"),
};

/** A command's output together with the styles that its options select. */
export interface Writer extends Output {
  /** The style of {@linkcode Output.print}. */
  readonly style: Style;
  /** The style of {@linkcode Output.complain}. */
  readonly complaintStyle: Style;
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
