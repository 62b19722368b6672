// deno-std's copy lacks its table, so another package counts the columns.
import stringWidth from "npm:string-width@9.0.0";

/** How many columns a text takes on a terminal. */
export function unicodeWidth(text: string): number {
  return stringWidth(text);
}
