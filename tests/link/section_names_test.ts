// The order of initialisers and finalisers is that of GNU ld.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../src/link/linker.ts";
import { compareStartup } from "../../src/link/section_names.ts";
import { Linked } from "../support/objects.ts";
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

testWithCompilers(["gcc", "ld", "objcopy"], "arrays are in the order of GNU ld", async (folder) => {
  const parts = SUFFIXES.flatMap((suffix, i) =>
    ["init_array", "fini_array"].map((array) =>
      `.section .${array}${suffix},"aw",@${array}\n.quad ${i + 1}\n`
    )
  );
  Deno.writeTextFileSync(`${folder}/a.s`, parts.join(""));
  await compile("gcc", ["-c", "a.s"], folder);
  await compile("ld", ["-shared", "-o", "a.so", "a.o"], folder);
  const linked = new Linked(
    linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }], { keep: [".init_array"] }),
  );
  for (const array of [".init_array", ".fini_array"]) {
    await compile("objcopy", ["-O", "binary", `--only-section=${array}`, "a.so", "a.bin"], folder);
    const theirs = new BigInt64Array(Deno.readFileSync(`${folder}/a.bin`).buffer);
    const { address } = linked.section(array);
    const ours = BigInt64Array.from(theirs, (_, i) => linked.int64(address + 8 * i));
    assertEquals(ours, theirs, array);
  }
});
