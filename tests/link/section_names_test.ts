// The order of initialisers and finalisers is that of GNU ld.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../src/link/linker.ts";
import { compareStartup } from "../../src/link/section_names.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";

const SUFFIXES = ["", ".foo", ".00200", ".100", ".x.50", ".bar", ".65535", ".00100", ".0"];

Deno.test("numbers come first, then names, then what has no suffix", () => {
  const names = [".init_array", ".init_array.foo", ".init_array.65535", ".init_array.bar", ".ctors.65435"];
  assertEquals(names.toSorted(compareStartup), [
    ".ctors.65435",
    ".init_array.65535",
    ".init_array.bar",
    ".init_array.foo",
    ".init_array",
  ]);
});

/** Assembly with one word in each section of both arrays. */
function arrays(word: (index: number) => string): string {
  return SUFFIXES.flatMap((suffix, i) =>
    ["init_array", "fini_array"].map((array) =>
      `.section .${array}${suffix},"aw",@${array}\n.quad ${word(i + 1)}\n`
    )
  ).join("");
}

testWithCompilers(["gcc", "ld", "objcopy"], "arrays are in the order of GNU ld", async (folder) => {
  // A shared library holds addresses as relocations, so that numbers tell its words apart; a module wants functions.
  Deno.writeTextFileSync(`${folder}/numbers.s`, arrays(String));
  Deno.writeTextFileSync(`${folder}/a.s`, `.text\nf: ret\n${arrays(() => "f")}`);
  await compile("gcc", ["-c", "numbers.s", "a.s"], folder);
  await compile("ld", ["-shared", "-o", "a.so", "numbers.o"], folder);
  const { map } = linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }], {
    keep: [".init_array", ".fini_array"],
  });
  for (const array of [".init_array", ".fini_array"]) {
    await compile("objcopy", ["-O", "binary", `--only-section=${array}`, "a.so", "a.bin"], folder);
    const theirs = [...new BigInt64Array(Deno.readFileSync(`${folder}/a.bin`).buffer)]
      .map((number) => array + SUFFIXES[Number(number) - 1]);
    const ours = map.sections.find(({ name }) => name === array)!.entries.map(({ section }) => section);
    assertEquals(ours, theirs, array);
  }
});
