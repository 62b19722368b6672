// Groups of symbols by base names, against a model that decodes every name.
import { assert, assertEquals } from "@std/assert";
import { NameGroups } from "../../src/image/name_groups.ts";
import { baseName, isNumbered } from "../../src/image/symbol_names.ts";
import { SymbolType } from "../../src/smf/enums.ts";
import type { SmfFile } from "../../src/smf/file.ts";
import { localSymbols } from "../support/local_symbols.ts";
import { randomFrom } from "../support/testing.ts";

const PARTS = [
  "f",
  "d",
  "f.0",
  "d.0",
  "d.1",
  "d.n.2",
  "_ZZ1fvE1n",
  "_ZZ1fvE1n_0",
  "d@a.c",
  "d@a.1",
  "s__anon_1",
];

function randomNames(seed: number, count: number): string[] {
  const next = randomFrom(seed);
  return Array.from(
    { length: count },
    () => `${PARTS[next() % PARTS.length]}${["", "", "x", "y.3"][next() % 4]}`,
  );
}

/** The groups in ascending order, and whether each is an identity. */
function model(
  names: readonly string[],
  file: SmfFile,
): Map<string, { group: number[]; isIdentity: boolean }> {
  const groups = new Map<string, { group: number[]; isIdentity: boolean }>();
  names.forEach((name, index) => {
    const base = baseName(name), known = groups.get(base);
    known === undefined ? groups.set(base, { group: [index], isIdentity: false }) : known.group.push(index);
  });
  for (const [base, each] of groups) {
    const [index] = each.group, name = names[index];
    each.isIdentity = each.group.length === 1 &&
      (base === name || file.symbols.type(index) === SymbolType.Function || !isNumbered(name));
  }
  return groups;
}

Deno.test("symbols are grouped by base names, and names that are alone are identities", () => {
  for (let seed = 0; seed < 200; seed++) {
    const names = randomNames(seed, seed % 30), file = localSymbols(names);
    const found = NameGroups.of(file), expected = model(names, file);
    const identities = new Int32Array(names.length), unclear: number[][] = [];
    for (const [base, { group, isIdentity }] of expected) {
      assertEquals(found.group(base), group, `${seed}: ${names}`);
      if (isIdentity) identities[group[0]] = group[0] + 1;
      else unclear.push(group);
    }
    assertEquals(found.identities, identities, `${seed}: ${names}`);
    const sorted = (groups: readonly (readonly number[])[]) =>
      groups.toSorted(([left], [right]) => left - right);
    assertEquals(sorted(found.unclear), sorted(unclear), `${seed}: ${names}`);
    assertEquals(found.group("absent"), []);
  }
});

Deno.test("groups of two files are paired by base names, each once", () => {
  for (let seed = 0; seed < 200; seed++) {
    const names = [randomNames(seed, seed % 20), randomNames(seed + 1000, 10)];
    const [before, after] = names.map((each) => localSymbols(each));
    const old = model(names[0], before), now = model(names[1], after);
    const expected = [...old].flatMap(([base, { group }]) => {
      const other = now.get(base)?.group;
      return other === undefined ? [] : [`${group} ${other}`];
    });
    const pairs: string[] = [];
    NameGroups.of(before).pairWith(NameGroups.of(after), (was, is) => {
      assertEquals([names[0][was], baseName(names[0][was])], [names[1][is], names[1][is]]);
      pairs.push(`${was} ${is}`);
    }, (olds, news) => void pairs.push(`${olds} ${news}`));
    assertEquals(pairs.toSorted(), expected.toSorted(), `${seed}: ${names.join(" | ")}`);
  }
});

Deno.test("versions with the same names share what follows from them", () => {
  const names = ["f", "d", "d.0"], first = localSymbols(names), second = localSymbols(names);
  const groups = NameGroups.of(first);
  assert(NameGroups.of(second, first) === groups);
  for (const others of [["f", "d"], ["f", "d", "d.1"], ["f", "e", "d.0"]]) {
    assert(NameGroups.of(localSymbols(others), first) !== groups, others.join(" "));
  }
});
