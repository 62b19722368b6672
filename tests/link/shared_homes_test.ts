// Which sections hold several variables, and the flags that split them.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../src/link/linker.ts";
import { SectionFlag, SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { testOutputOf } from "../support/compilers.ts";
import { DATA, ElfWriter, link } from "../support/objects.ts";

/** An object with sections of variables: the offsets of those in each. */
function objectOf(
  sections: Readonly<Record<string, readonly number[]>>,
  { machine, comment }: { machine?: number; comment?: string } = {},
): Uint8Array {
  const writer = new ElfWriter(machine);
  for (const [name, offsets] of Object.entries(sections)) {
    const flags = DATA | SectionFlag.GNU_RETAIN;
    const section = writer.section({ name, flags, bytes: new Uint8Array(32), alignment: 8 });
    offsets.forEach((value, index) =>
      writer.symbol({
        name: `${name.slice(1)}_${index}`,
        section,
        value,
        size: 8,
        kind: SymbolKind.OBJECT,
        binding: SymbolBinding.LOCAL,
      })
    );
  }
  const text = new TextEncoder().encode(comment ?? "");
  writer.section({ name: ".comment", flags: 0, bytes: text });
  const root = writer.section({
    name: ".text",
    flags: SectionFlag.ALLOC | SectionFlag.EXECINSTR,
    bytes: new Uint8Array(4),
  });
  writer.symbol({ name: "root", section: root, kind: SymbolKind.FUNC, size: 4 });
  return writer.build();
}

function sharedIn(object: Uint8Array): unknown[] {
  return link(object, { reloadable: true }).map.sharedHomes.map(({ section, variables, flags }) => [
    section,
    variables.length,
    flags.join(" "),
  ]);
}

Deno.test("sections of one variable are not listed, nor names of one variable twice", () => {
  assertEquals(sharedIn(objectOf({ ".data.one": [0], ".bss.two": [8, 8], ".data": [] })), []);
});

Deno.test("the flag that helps depends on the section, the processor and the compiler", () => {
  const sections = { ".data": [0, 8], ".data.rel.local": [0, 8], ".lbss": [0, 8], ".my.own": [8, 0, 16] };
  const flags = "-fdata-sections";
  const merged = { ".bss..L_MergedGlobals.1": [0, 8] };
  assertEquals(sharedIn(objectOf(sections)), [
    [".data", 2, flags],
    [".data.rel.local", 2, flags],
    [".lbss", 2, flags],
    [".my.own", 3, ""],
  ]);
  assertEquals(sharedIn(objectOf({ ".bss": [0, 8] }, { machine: 183, comment: "GCC: 12" })), [
    [".bss", 2, flags],
  ]);
  assertEquals(
    sharedIn(objectOf({ ".bss": [0, 8], ...merged }, { machine: 183, comment: "clang version" })),
    [
      [".bss", 2, `${flags} -mno-global-merge`],
      [".bss..L_MergedGlobals.1", 2, "-mno-global-merge"],
    ],
  );
});

Deno.test("modules that are not reloadable have none", () => {
  assertEquals(link(objectOf({ ".data": [0, 8] })).map.sharedHomes, []);
});

const SOURCE = `
static int a, b, c = 3, d = 4;
int f(int *p) { a += *p; b += a; c += b; d += c; return d + a * b; }
int g(void) { a++; b++; c++; d++; return a + b + c + d; }
`;

for (
  const [compiler, shared] of [
    ["gcc", 2],
    ["clang-14", 2],
    ["aarch64-linux-gnu-gcc", 2],
    ["clang-14 --target=aarch64-linux-gnu", 2],
  ] as const
) {
  const name = `the flags that are named split the sections of ${compiler}`;
  testOutputOf(compiler, name, async (folder, compileThere) => {
    Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
    const sharedWith = async (...flags: string[]) => {
      await compileThere("-O3", "-fPIC", ...flags, "-c", "a.c", "-o", "a.o");
      const object = { name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) };
      return linkObjects([object], { reloadable: true }).map.sharedHomes;
    };
    const before = await sharedWith();
    assertEquals(before.length, shared);
    assertEquals(await sharedWith(...before[0].flags), []);
  });
}
