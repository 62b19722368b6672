/**
 * Decodes identifiers with letters beyond ASCII, as Rust writes them: Punycode (RFC 3492) with `_` for `-`.
 */
import { refuse } from "../printer.ts";

/** The parameters of Punycode (RFC 3492, 5). */
const BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, INITIAL_BIAS = 72, INITIAL_POINT = 128;

const LAST_CODE_POINT = 0x10ffff;

/** The longest identifier: each letter is inserted among those before it. */
const MAX_LETTERS = 512;

/** Decodes an identifier. */
export function decodePunycode(text: string): string {
  const separator = text.lastIndexOf("_");
  const letters = separator < 0 ? [] : [...text.slice(0, separator)];
  const deltas = text.slice(separator + 1);
  let [point, index, bias] = [INITIAL_POINT, 0, INITIAL_BIAS];
  for (let at = 0; at < deltas.length;) {
    const first = index;
    for (let weight = 1, k = BASE;; k += BASE) {
      const digit = digitAt(deltas, at++);
      index += digit * weight;
      const threshold = Math.min(Math.max(k - bias, T_MIN), T_MAX);
      if (digit < threshold) break;
      weight *= BASE - threshold;
      if (index > Number.MAX_SAFE_INTEGER / BASE / BASE) refuse();
    }
    const count = letters.length + 1;
    bias = adapted(index - first, count, first === 0);
    point += Math.floor(index / count);
    index %= count;
    if (point > LAST_CODE_POINT || count > MAX_LETTERS) refuse();
    letters.splice(index++, 0, String.fromCodePoint(point));
  }
  return letters.join("");
}

function digitAt(text: string, at: number): number {
  const digit = at < text.length ? "abcdefghijklmnopqrstuvwxyz0123456789".indexOf(text[at]) : -1;
  return digit < 0 ? refuse() : digit;
}

/** The bias for the next delta (RFC 3492, 6.1). */
function adapted(delta: number, count: number, isFirst: boolean): number {
  let rest = Math.floor(isFirst ? delta / DAMP : delta / 2);
  rest += Math.floor(rest / count);
  let k = 0;
  while (rest > ((BASE - T_MIN) * T_MAX) >> 1) {
    rest = Math.floor(rest / (BASE - T_MIN));
    k += BASE;
  }
  return k + Math.floor(((BASE - T_MIN + 1) * rest) / (rest + SKEW));
}
