/**
 * Judges from the files alone which variables a reload would keep, for any processor: initial values are unique, so
 * that they tell which variable of the source text a symbol is.
 */

import { type ParsedSmf, parseSmf } from "../../../src/smf/mod.ts";
import { followHomes, type HousedVersion } from "../../../src/image/homes/follow.ts";
import { planImage } from "../../../src/image/plan.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { VersionPair } from "../../../src/image/version_pair.ts";
import { imageOffsets } from "../../../src/smf/offsets.ts";
import type { Program } from "./run.ts";
import { identitiesIn } from "./cells.ts";
import { describe, targetOf, type Variable, type Version } from "./model.ts";
import { print } from "./print.ts";

/** How many variables the files say to be kept, and of how many of these the source is known. */
export interface FileCounts {
  followed: number;
  judged: number;
  fresh: number;
}

/** @throws {Error} with seed and sources, if a variable would get the home of another one. */
export function judgeFiles(
  { seed, build, versions }: Program,
  modules: readonly Uint8Array<ArrayBuffer>[],
  counts: FileCounts,
): void {
  for (let step = 1; step < versions.length; step++) {
    const [before, after] = [housed(modules[step - 1]), housed(modules[step])];
    for (const fate of followHomes(new VersionPair(before, after, true), before, after)) {
      if (fate.fate === "fresh") {
        counts.fresh++;
        continue;
      }
      for (const { index, before: old, name } of fate.variables) {
        counts.followed++;
        const was = sourceOf(versions[step - 1], before, old), is = sourceOf(versions[step], after, index);
        if (was === undefined || is === undefined) continue;
        counts.judged++;
        const identities = new Set(identitiesIn(versions[step - 1], was));
        if (identitiesIn(versions[step], is).some((each) => identities.has(each))) continue;
        const sources = [step - 1, step].flatMap((number) =>
          print(versions[number]).map(({ path, text }) => `=== version ${number}: ${path}\n${text}`)
        );
        throw new Error(
          `seed ${seed}, version ${step}: '${name}' is ${describe(is)}, and gets the home of ${
            describe(was)
          }\n` +
            `${build.compiler} ${build.flags.join(" ")}\n${sources.join("\n")}`,
        );
      }
    }
  }
}

/** A version with its file. */
interface ParsedVersion extends HousedVersion {
  readonly file: ParsedSmf;
}

function housed(bytes: Uint8Array): ParsedVersion {
  const file = parseSmf(bytes);
  const { gotCount, pltCount } = scanRelocations(file);
  const plan = planImage(file, 4096, { got: gotCount, plt: pltCount });
  return {
    file,
    plan,
    homes: file.homes(),
    types: () => file.types(),
    initialAt: () => undefined,
    constantsAt: (_, size) => new Uint8Array(size),
  };
}

/** The variable whose first initial value a symbol has; undefined if that does not tell. */
function sourceOf(version: Version, { file }: ParsedVersion, symbol: number): Variable | undefined {
  const value = file.symbols.value(symbol);
  const { offsets } = imageOffsets(file.sections);
  const section = file.sections.find(({ virtualSize }, index) =>
    offsets[index] !== undefined && value >= offsets[index]! && value < offsets[index]! + virtualSize
  );
  if (section === undefined || file.symbols.size(symbol) < 2) return undefined;
  const bytes = file.contents(section), at = value - offsets[section.index]!;
  if (at + 2 > bytes.length) return undefined;
  const initial = bytes[at] + bytes[at + 1] * 256;
  const found = version.variables.filter((each) =>
    targetOf(each) === undefined && each.initial[0] === initial
  );
  return initial !== 0 && found.length === 1 ? found[0] : undefined;
}
