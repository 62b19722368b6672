/**
 * Text in columns, escaped names and hexadecimal dumps.
 */
import { unicodeWidth } from "@std/cli/unicode-width";
import { hexBytes } from "../../smf/hex_bytes.ts";

/** The columns that text takes on a terminal; ASCII is measured quickly, as there may be a million cells. */
function widthOf(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : unicodeWidth(text);
}

/** The side of its column on which a cell's text stands. */
export type Alignment = "left" | "right";

/**
 * Formats rows as lines; each column is as wide as its widest cell is on a terminal.
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

/** Control characters, line and paragraph separators, and marks that change the writing direction. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Escapes control characters in a name from a file, so that it cannot send commands to a terminal. */
export function printable(name: string): string {
  return name.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Formats bytes as `xxd` does: offset, sixteen bytes, and their ASCII characters. */
export function hexLines(bytes: Uint8Array, first = 0): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const digits = hexBytes(row, " ");
    const text = Array.from(row, (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")
      .join("");
    lines.push(`${(first + at).toString(16).padStart(8, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines;
}
