import { assert } from "@std/assert";
import fc from "fast-check";
import { Undemangled } from "../../src/demangle/printer.ts";
import { demangleSymbol } from "../../src/demangle/symbol.ts";
import { textLines } from "./names.ts";

const NAMES = textLines().map((line) => line.split("\t")[0]);

/** Letters and short codes of both grammars, which meet more rules than letters alone. */
const CODES = (
  "_ 0 1 2 3a E I J N K V R O P S_ S0_ S1_ St Ss T_ T0_ X L Z D Dp Dt DT sr cl cv il tl fp_ sZ sp nx ad Li1E UlvE_ Ut_ " +
  "C1 D1 B s u M F A5_ i v z b c G s_ NtC1a p Lb1E TV Th n8_ GR . @ ü"
).split(" ");

/** A name with some of its parts taken out, repeated, or put in the place of others. */
const mutants = fc.tuple(
  fc.constantFrom(...NAMES),
  fc.constantFrom(...NAMES),
  fc.array(fc.tuple(fc.nat(), fc.nat(40), fc.constantFrom(...CODES)), { minLength: 1, maxLength: 8 }),
).map(([name, other, changes]) => {
  let text = name;
  for (const [place, length, code] of changes) {
    const at = 2 + place % Math.max(1, text.length - 2);
    const part = length % 3 === 0
      ? code
      : length % 3 === 1
      ? other.slice(at, at + length)
      : text.slice(2, 2 + length);
    text = text.slice(0, at) + part + text.slice(at + (length % 2 === 0 ? length : 0));
  }
  return text;
});

const made = fc.tuple(
  fc.constantFrom("_Z", "_ZN", "_R", "_RINvC1a1f", "_Z1fI", "__Z"),
  fc.array(fc.constantFrom(...CODES), { maxLength: 60 }),
).map(([start, codes]) => start + codes.join(""));

/** Demangles a name. An error that is not the refusal would be a bug, which demangle() hides. */
function demangledSymbol(name: string): string | undefined {
  try {
    return demangleSymbol(name);
  } catch (error) {
    assert(error instanceof Undemangled, `${name}: ${(error as Error).stack}`);
  }
}

Deno.test("no name throws, takes long or becomes endless", () => {
  // FUZZ_SEED and FUZZ_RUNS, where they can be read, try others.
  const setting = (name: string): number | undefined => Number(Deno.env.get(name)) || undefined;
  fc.assert(
    fc.property(fc.oneof(mutants, made), (name) => {
      const start = performance.now();
      const text = demangledSymbol(name);
      assert(text === undefined || text.length < 4096 + 64 * name.length);
      assert(performance.now() - start < 1000);
    }),
    { seed: setting("FUZZ_SEED") ?? 22, numRuns: setting("FUZZ_RUNS") ?? 30_000 },
  );
});
