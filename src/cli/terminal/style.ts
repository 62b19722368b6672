/**
 * Colours, where somebody sees them.
 */
import { styleText } from "node:util";
import { type Output, UsageError } from "./command.ts";

/** Text as it looks on a terminal, or as it is. */
export interface Style {
  heading(text: string): string;
  good(text: string): string;
  warning(text: string): string;
  bad(text: string): string;
  faint(text: string): string;
}

const plain = (text: string): string => text;
const colour = (format: Parameters<typeof styleText>[0]) => (text: string): string =>
  styleText(format, text, { validateStream: false });

const PLAIN: Style = { heading: plain, good: plain, warning: plain, bad: plain, faint: plain };
const COLOURED: Style = {
  heading: colour("bold"),
  good: colour("green"),
  warning: colour("yellow"),
  bad: colour("red"),
  faint: colour("dim"),
};

/** What every command writes with, once its options are known. */
export interface Writer extends Output {
  /** For what is printed. */
  readonly style: Style;
  /** For what is complained. */
  readonly complaintStyle: Style;
}

/** When to use colours: on a terminal unless `NO_COLOR` is set, or as the option says. */
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
