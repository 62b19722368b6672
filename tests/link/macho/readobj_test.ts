// The reader of Mach-O objects against LLVM's: sections, symbols and relocations of the objects of two compilers.
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { parseMachObject } from "../../../src/link/macho/object.ts";
import { plainName } from "../../../src/link/macho/names.ts";
import { SectionFlag } from "../../../src/os/elf.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";

const FOLDER = new URL("../../../fixtures/macho/", import.meta.url);
const OBJECTS = ["sample", "throws"].flatMap((source) =>
  ["clang_x86_64", "clang_arm64", "zig_x86_64", "zig_arm64"].map((kind) => `${source}_${kind}.o`)
);

const field = (block: string, name: string): string =>
  new RegExp(`^ *${name}: (.+?)(?: \\(.*)?$`, "m").exec(block)![1];

for (const name of OBJECTS) {
  testWithCompilers(["llvm-readobj-14"], `${name} is read as llvm-readobj reads it`, async () => {
    const path = fromFileUrl(new URL(name, FOLDER));
    const text = await compile("llvm-readobj-14", ["--sections", "--symbols", path]);
    const { sections, symbols } = parseMachObject(name, Deno.readFileSync(path));
    const blocks = (kind: string) =>
      [...text.matchAll(new RegExp(` {2}${kind} \\{\n[^]*?\n {2}\\}`, "g"))].map(String);

    // The bytes of each section that is loaded are in its parts, none twice; frames are written anew.
    const theirs = blocks("Section").map((block) => ({
      name: field(block, "Name"),
      segment: field(block, "Segment"),
      size: Number(field(block, "Size")),
      offset: Number(field(block, "Offset")),
      hasBytes: !/Type: .*ZeroFill/i.test(block),
    }));
    for (const { name: section, segment, size, offset, hasBytes } of theirs) {
      if (section === "__eh_frame" || !hasBytes) continue;
      const parts = sections.filter((part) =>
        part.offset >= offset && part.offset < offset + size && part.size > 0
      );
      const isLoaded = parts.some(({ flags }) => (flags & SectionFlag.ALLOC) !== 0);
      assertEquals(isLoaded, segment !== "__LD", section);
      let end = offset;
      for (const part of parts.toSorted((a, b) => a.offset - b.offset)) {
        assertEquals(part.offset <= end, true, `${section}: a gap before ${part.offset}`);
        end = part.offset + part.size;
      }
      assertEquals(end, offset + size, section);
    }

    const known = new Set<string>();
    for (let i = 1; i < symbols.length; i++) {
      const section = sections[symbols.section(i)];
      const place = section === undefined ? "undefined" : section.offset + symbols.value(i);
      known.add(`${symbols.name(i)} ${place}`);
    }
    const named = blocks("Symbol").flatMap((block) => {
      const symbol = field(block, "Name"), type = field(block, "Type");
      const section = theirs.find((each) => each.name === field(block, "Section"));
      // Two sections are named __const; zero-filled ones have no place in the file.
      const isPlain = section !== undefined && section.hasBytes && section.name !== "__const" &&
        section.name !== "__eh_frame";
      if (symbol.startsWith("section$") || type === "Section" && !isPlain) return [];
      if (type === "Undef") {
        return Number(field(block, "Value")) > 0 ? [] : [`${plainName(symbol)} undefined`];
      }
      const addresses = [...text.matchAll(/Name: (\S+) \(.*\n +Segment: .*\n +Address: (0x\w+)/g)];
      const address = Number(addresses.find(([, each]) => each === section!.name)![2]);
      return [`${plainName(symbol)} ${section!.offset + Number(field(block, "Value")) - address}`];
    });
    assertEquals(named.filter((each) => !known.has(each)), []);
    assertEquals(named.length > 10, true, `${named.length} symbols`);
  });
}
