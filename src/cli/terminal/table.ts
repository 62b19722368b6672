/**
 * Text in columns.
 */
import { unicodeWidth } from "@std/cli/unicode-width";

/** Columns of a terminal; most text is ASCII, and there may be a million cells. */
function widthOf(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : unicodeWidth(text);
}

/** Which columns have their text at the right. */
export type Alignment = "left" | "right";

/**
 * Rows as lines, each column as wide as its widest cell takes on a terminal.
 *
 * @param alignments By column. Default: left.
 */
export function table(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, widthOf(cell)));
  }
  return rows.map((row) =>
    row.map((cell, column) => {
      const space = " ".repeat(widths[column] - widthOf(cell));
      return alignments[column] === "right" ? space + cell : cell + space;
    }).join("  ").trimEnd()
  );
}

/** What a terminal obeys, what ends a line, and what turns the direction of writing. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A name from a file, which may hold anything, as text that only shows. */
export function printable(name: string): string {
  return name.replace(CONTROL, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Bytes as `xxd` shows them: offset, sixteen bytes, and the letters among them. */
export function hexLines(bytes: Uint8Array, first = 0): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const numbers = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${(first + at).toString(16).padStart(8, "0")}  ${numbers.padEnd(47)}  ${letters}`);
  }
  return lines;
}
