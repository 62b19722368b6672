// AArch64: compilers reach one variable from its neighbour, so one that changes its size takes the others with it.
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { hasCommand } from "../../support/compilers.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const IS_AARCH64 = Deno.build.os === "linux" && Deno.build.arch === "aarch64";

/** Three neighbours, of which the middle one has a number of elements. */
const source = (count: number, version: number): string => `
  static int first = ${100 * version + 1};
  static int middle[${count}] = { ${
  Array.from({ length: count }, (_, at) => 100 * version + 10 + at).join(", ")
} };
  static int last = ${100 * version + 2};
  static int zeroed;
  int get(int which) {
    return which == 0 ? first : which == 1 ? last : which == 2 ? zeroed : middle[which - 3];
  }
  int set(int which, int value) {
    if (which == 0) first = value;
    else if (which == 1) last = value;
    else if (which == 2) zeroed = value;
    else middle[which - 3] = value;
    return first + last + zeroed + middle[0];
  }`;

const BUILDS = [
  ["aarch64-linux-gnu-gcc", "-O0"],
  ["aarch64-linux-gnu-gcc", "-O2"],
  ["aarch64-linux-gnu-gcc", "-O2", "-fdata-sections"],
  ["clang", "--target=aarch64-linux-gnu", "-O0", "-fdata-sections"],
  ["clang", "--target=aarch64-linux-gnu", "-O2"],
  ["clang", "--target=aarch64-linux-gnu", "-O2", "-fdata-sections"],
  ["clang", "--target=aarch64-linux-gnu", "-O2", "-mno-global-merge"],
  ["clang", "--target=aarch64-linux-gnu", "-O2", "-fdata-sections", "-mno-global-merge"],
] as const;

/** The builds that give each variable a section of its own. */
const isSplit = (build: readonly string[]): boolean =>
  build.includes("-fdata-sections") &&
  (build[0] !== "clang" || !build.includes("-O2") || build.includes("-mno-global-merge"));

for (const build of BUILDS) {
  for (const debug of [[], ["-g"]]) {
    const name = `one of three neighbours grows and shrinks: ${[...build, ...debug].join(" ")}`;
    const runs = IS_AARCH64 && hasCommand(build[0]);
    Deno.test({
      name: runs ? name : `${name} (SKIPPED: needs ${build[0]} on Linux aarch64)`,
      ignore: !runs,
      fn: () => reload([...build, ...debug]),
    });
  }
}

async function reload(build: readonly string[]): Promise<void> {
  using folder = new TemporaryDirectory();
  const [compiler, ...flags] = build;
  const versionOf = (count: number, version: number): Promise<Uint8Array<ArrayBuffer>> =>
    compiledVersion(folder.path, source(count, version), { name: "m", compiler, flags });
  using registry = new ModuleRegistry({ keepVersions: 3 });
  let module = registry.loadBytes("m", await versionOf(2, 1));
  const call = (name: string, ...given: number[]): number =>
    module.getFunction(name, { parameters: given.map(() => "i32" as const), result: "i32" })!(
      ...given,
    ) as number;
  let count = 2, keptAll = 0;
  for (const [version, next] of [[2, 5], [3, 5], [4, 3]] as const) {
    const held = Array.from({ length: 3 + count }, (_, which) => 1000 * version + which);
    held.forEach((value, which) => call("set", which, value));
    assertEquals(held.map((_, which) => call("get", which)), held);
    const reloaded = registry.reload("m", { bytes: await versionOf(next, version), state: "keep" });
    const { kept, moved, fresh } = reloaded.carried!;
    module.close();
    module = reloaded;
    const initial = [100 * version + 1, 100 * version + 2, 0];
    for (const [which, variable] of ["first", "last", "zeroed"].entries()) {
      const isKept = kept.includes(variable);
      assertEquals([variable, call("get", which)], [variable, isKept ? held[which] : initial[which]]);
      assert(isKept || fresh.some(({ name }) => name === variable), `${variable} is not reported`);
    }
    const hasFollowed = kept.includes("middle") || moved.some(({ name }) => name === "middle");
    assert(hasFollowed || fresh.some(({ name }) => name === "middle"), "middle is not reported");
    for (let at = 0; at < next; at++) {
      const expected = hasFollowed && at < count ? held[3 + at] : 100 * version + 10 + at;
      assertEquals([at, call("get", 3 + at)], [at, expected]);
    }
    if (isSplit(build)) {
      assertEquals(kept.filter((name) => name !== "middle").toSorted(), ["first", "last", "zeroed"]);
    } else if (next !== count && !build.includes("-fdata-sections")) {
      assert(!kept.includes("first"), "the section has changed");
    }
    if (kept.includes("first") && kept.includes("middle")) keptAll++;
    count = next;
  }
  // Nothing changes between the second and the third version.
  assertEquals(keptAll, 1);
  module.close();
}
