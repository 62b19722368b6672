// Linker scripts that only name inputs.
import { assert, assertEquals } from "@std/assert";
import { scriptInputs } from "../../../src/link/elf/script.ts";
import { ascii, linkFails } from "../../support/objects.ts";

function names(text: string): string[] | undefined {
  return scriptInputs(ascii(text))?.map(({ name, asNeeded }) => asNeeded ? `${name}?` : name);
}

Deno.test("GROUP and INPUT name files, AS_NEEDED those that may be left out", () => {
  const libm = `/* GNU ld script
*/
OUTPUT_FORMAT(elf64-x86-64)
GROUP ( /usr/lib/x86_64-linux-gnu/libm-2.36.a /usr/lib/x86_64-linux-gnu/libmvec.a )`;
  assertEquals(names(libm), ["/usr/lib/x86_64-linux-gnu/libm-2.36.a", "/usr/lib/x86_64-linux-gnu/libmvec.a"]);
  assertEquals(names("GROUP(libc.so.6 libc_nonshared.a AS_NEEDED(ld.so.2, x.so) y.a)"), [
    "libc.so.6",
    "libc_nonshared.a",
    "ld.so.2?",
    "x.so?",
    "y.a",
  ]);
  assertEquals(names('INPUT("with space.a", -lfoo);INPUT(b.o)'), ["with space.a", "-lfoo", "b.o"]);
});

Deno.test("other scripts, and other files, are not taken for lists of inputs", () => {
  for (
    const text of [
      "",
      "hello",
      "GROUP",
      "GROUP(",
      "GROUP(a.a",
      "GROUP(a.a))",
      "GROUP(AS_NEEDED a)",
      "GROUP(AS_NEEDED(AS_NEEDED(a)))",
      "GROUP((a))",
      "SECTIONS { .text : { *(.text) } }",
      "GROUP(a.a) SECTIONS { }",
      "/* GROUP(a.a) */",
      "/* GROUP(a.a)",
      'GROUP("a.a)',
      "OUTPUT_FORMAT(elf64-x86-64)",
      "GROUP(a.a)\0",
      `GROUP(${"a.a ".repeat(20_000)})`,
    ]
  ) assertEquals(names(text), undefined, text.slice(0, 40));
});

Deno.test("an error about a script names the files that it stands for", () => {
  const error = linkFails(
    { "libm.a": ascii("GROUP ( /lib/libm-2.36.a libmvec.a )") },
    "InvalidFormat",
    "linker script",
  );
  assert(error.hint.includes("/lib/libm-2.36.a, libmvec.a"), error.hint);
});
