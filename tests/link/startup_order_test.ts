// The order of initialisers and finalisers is that of GNU ld, also for arrays of the old kind.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../src/link/linker.ts";
import { sortStartup } from "../../src/link/startup_order.ts";
import { ModuleRegistry } from "../../mod.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { runModules } from "../support/compiled_module.ts";
import { randomFrom } from "../support/testing.ts";

/** Sorts sections of one object by their names. */
function sorted(...names: string[]): string[] {
  const sections = names.map((name) => ({ name, object: { name: "a.o" } }));
  sortStartup(sections);
  return sections.map(({ name }) => name);
}

Deno.test("numbers come first, then names, then what has no suffix", () => {
  assertEquals(
    sorted(".init_array", ".init_array.foo", ".init_array.65535", ".init_array.bar", ".ctors.65435"),
    [".ctors.65435", ".init_array.65535", ".init_array.bar", ".init_array.foo", ".init_array"],
  );
});

Deno.test("old sections count down from 65535; equal priorities go by name, and equal names by input", () => {
  assertEquals(
    sorted(".init_array.00100", ".ctors.65434", ".ctors.65435", ".ctors", ".init_array.100", ".ctors.65435"),
    [".ctors.65435", ".ctors.65435", ".init_array.00100", ".init_array.100", ".ctors.65434", ".ctors"],
  );
});

Deno.test("names without a priority among those with one have the order that GNU ld 2.40 gives them", () => {
  for (
    const [theirs, names] of [
      [
        "c. c.5. i.0 c.65530 i.10 c.65435 i.00100 i.4294967301 i.65530 i.foo",
        "i.65530 i.10 c.65530 i.foo c.65435 i.00100 c.5. c. i.0 i.4294967301",
      ],
      [
        "c. c.00100 c.bar c.foo c.x.50 i.1a i.65435 i.65535 i.bar",
        "c.foo i.65535 i.1a i.65435 c. c.bar c.x.50 i.bar c.00100",
      ],
    ]
  ) {
    const long = (text: string) =>
      text.replaceAll("c.", ".ctors.").replaceAll("i.", ".init_array.").split(" ");
    assertEquals(sorted(...long(names)), long(theirs));
  }
});

Deno.test("many sections of one name are sorted in no time of their own", () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `.init_array.${i % 3 === 0 ? "x" : i % 2}`);
  assertEquals(new Set(sorted(...names).slice(0, 20_000)), new Set([".init_array.0"]));
});

/** Sections as compilers name them, each with a function or more. */
const COMPILERS = ["", "", ".00200", ".00100", ".65535", ".65435", ".101", ".0"];
const NEW = ["", ...COMPILERS, ".foo", ".x.50", ".bar", ".100"];

/** C with functions that print their numbers when they run, each in an array of one of the given kinds. */
function printing(
  random: () => number,
  object: number,
  sections: readonly string[],
) {
  const pick = <T>(from: readonly T[]): T => from[random() % from.length];
  const functions = Array.from({ length: 12 }, (_, i) => {
    const [name, number] = [pick(sections), object * 100 + i];
    return `static void f${i}(void) { put(${number}); }
      __attribute__((section("${name}"), used)) static void (*p${i})(void) = f${i};`;
  });
  return `#include <stdio.h>
    #include <string.h>
    #include <unistd.h>
    static void put(int i) {
      char line[16]; sprintf(line, "%d\\n", i);
      if (write(1, line, strlen(line)) < 0) _exit(9);
    }
    ${functions.join("\n")}`;
}

const OLD_SECTIONS = ["ctors", "dtors"].flatMap((kind) => COMPILERS.map((suffix) => `.${kind}${suffix}`));
const NEW_SECTIONS = ["init_array", "fini_array"].flatMap((kind) => NEW.map((suffix) => `.${kind}${suffix}`));

for (
  const [name, sections] of [
    ["new sections", NEW_SECTIONS],
    ["old ones", OLD_SECTIONS],
    ["both", [...OLD_SECTIONS, ...NEW_SECTIONS]],
  ] as const
) {
  testWithCompilers(["gcc"], `arrays run in the order of a native program: ${name}`, async (folder) => {
    const random = randomFrom(0x5eed);
    for (let round = 0; round < 3; round++) {
      const names = ["a", "b", "c", "d"];
      names.forEach((name, object) =>
        Deno.writeTextFileSync(`${folder}/${name}.c`, printing(random, object + 1, sections))
      );
      Deno.writeTextFileSync(`${folder}/main.c`, "int main(void) { return 0; }");
      const sources = names.map((name) => `${name}.c`);
      await compile("gcc", ["-O0", "-fPIC", "-fno-toplevel-reorder", "-c", ...sources], folder);
      const objects = names.map((name) => `${name}.o`);
      await compile("gcc", ["-o", "native", "main.c", ...objects], folder);
      const native = await compile(`${folder}/native`, []);
      const inputs = objects.map((name) => ({ name, bytes: Deno.readFileSync(`${folder}/${name}`) }));
      Deno.writeFileSync(`${folder}/m.smf`, linkObjects(inputs).bytes);
      const module = await runModules({ modules: [`${folder}/m.smf`], libraries: ["libc.so.6"], calls: [] });
      assertEquals([module.code, module.stderr], [0, ""]);
      assertEquals(module.stdout.replace("closed\n", "").split("\n"), native.split("\n"), `round ${round}`);
    }
  });
}

testWithCompilers(["gcc"], "the marks of old start files stay out of the arrays", async (folder) => {
  // As gcc's crtbegin.o and crtend.o are on systems without .init_array: a function walks from mark to mark.
  const files = {
    "crtbegin.s": '.section .ctors,"aw",@progbits\nbegin: .quad -1\n',
    "crtend.s": `.section .ctors,"aw",@progbits\nlast: .quad 0
      .text\n.globl walk\nwalk: push %rbx; lea last-8(%rip), %rbx
      1: mov (%rbx), %rax; cmp $-1, %rax; je 2f; call *%rax; sub $8, %rbx; jmp 1b
      2: pop %rbx; ret\n`,
    "a.c": `static int runs; int count(void) { return runs; } static void f(void) { runs++; }
      __attribute__((section(".ctors"), used)) static void (*p)(void) = f;
      extern void walk(void); int test(void) { walk(); return runs; }`,
  };
  for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${folder}/${name}`, text);
  await compile("gcc", ["-O2", "-fPIC", "-c", ...Object.keys(files)], folder);
  const objects = ["crtbegin.o", "a.o", "crtend.o"];
  await compile("gcc", ["-shared", "-nostartfiles", "-o", "a.so", ...objects], folder);
  const native = Deno.dlopen(`${folder}/a.so`, { test: { parameters: [], result: "i32" } });
  const inputs = objects.map((name) => ({ name, bytes: Deno.readFileSync(`${folder}/${name}`) }));
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("m", linkObjects(inputs, { exports: ["test"] }).bytes);
  const test = module.getFunction("test", { parameters: [], result: "i32" })!;
  assertEquals([test(), native.symbols.test()], [1, 1]);
  native.close();
});
