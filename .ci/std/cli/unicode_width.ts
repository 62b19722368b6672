// deno-std's copy lacks its table, so another package counts the columns. It starts in 1 ms; `string-width`,
// which also counts characters without a width, takes 24.
import stringWidth from "npm:fast-string-width@3.0.2";

/** How many columns a text takes on a terminal. */
export function unicodeWidth(text: string): number {
  return stringWidth(text);
}
