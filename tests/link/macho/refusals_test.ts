// Mach-O objects that cannot be linked: of other kinds, with sections that have no counterpart, and damaged ones.
import { assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { parseMachObject } from "../../../src/link/macho/object.ts";
import { Cpu, MachWriter, Sect, X86 } from "../../support/macho_writer.ts";
import { refusedBy } from "../../support/parsed_objects.ts";

const refused = refusedBy(parseMachObject, "a.o");

Deno.test("files of other kinds, processors and systems are refused with what to do", () => {
  const plain = () => {
    const writer = new MachWriter();
    writer.section({ name: "__TEXT,__text", flags: Sect.CODE, bytes: new Uint8Array(4) });
    return writer;
  };
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = plain().build();
    new DataView(bytes.buffer).setUint32(at, value, true);
    return bytes;
  };
  refused(changed(0, 0xfeedface), "Unsupported", "a 32-bit Mach-O file");
  refused(changed(0, 0xcffaedfe), "Unsupported", "a big-endian Mach-O file");
  refused(changed(4, 12), "Unsupported", "for 32-bit ARM");
  refused(changed(4, 18), "Unsupported", "another processor, cputype 0x12");
  refused(changed(12, 2), "Unsupported", "it is an executable");
  refused(changed(12, 6), "Unsupported", "it is a dynamic library");
  const signed = changed(4, Cpu.ARM64);
  new DataView(signed.buffer).setUint32(8, 2, true);
  refused(signed, "Unsupported", "its pointers are signed");
  const phone = plain();
  phone.platform(2);
  refused(phone.build(), "Unsupported", "another system of Apple, platform 2");
  // Older compilers say it by the command: LC_VERSION_MIN_IPHONEOS, TVOS, WATCHOS; MACOSX is fine.
  for (const [command, platform] of [[0x25, 2], [0x2f, 3], [0x30, 4]]) {
    const bytes = changed(32 + 72 + 80, command);
    refused(bytes, "Unsupported", `another system of Apple, platform ${platform}`);
  }
  parseMachObject("a.o", changed(32 + 72 + 80, 0x24));
});

Deno.test("sections for runtimes and for the dynamic linker are refused with what to do", () => {
  for (
    const [name, flags, message] of [
      ["__DATA,__objc_classlist", 0, "the runtime of Objective-C"],
      ["__TEXT,__swift5_types", 0, "the runtime of Swift"],
      ["__TEXT,__stubs", Sect.STUBS | Sect.CODE, "stubs or pointers that the linker makes itself"],
      ["__DATA,__interpose", Sect.INTERPOSING, "to replace functions of other libraries"],
      ["__DATA,__thread_ptrs", 0x14, "stubs or pointers that the linker makes itself"],
      ["__DATA,__thread_init", 0x15, "initialise thread-local variables"],
      ["__TEXT,__init_offsets", 0x16, "the kind 22 of the section is unknown"],
      ["__TEXT,__dof", 15, "the kind 15 of the section is unknown"],
      ["__DATA,__later", 0x17, "the kind 23 of the section is unknown"],
    ] as const
  ) {
    const writer = new MachWriter();
    writer.section({ name, flags, bytes: new Uint8Array(8) });
    assertEquals(refused(writer.build(), "Unsupported", message).data.section, name);
  }
});

Deno.test("damaged tables are refused", () => {
  const writer = new MachWriter();
  const text = writer.section({ name: "__TEXT,__text", flags: Sect.CODE, bytes: new Uint8Array(16) });
  writer.symbol({ name: "_f", section: text });
  writer.relocation(text, { place: 4, type: X86.BRANCH, symbol: 0, isRelative: true });
  const good = writer.build();
  const view = new DataView(good.buffer);
  const symtab = 32 + 72 + 80 + 24, section = 32 + 72;
  const table = view.getUint32(section + 56, true), symbols = view.getUint32(symtab + 8, true);
  const cases: readonly (readonly [at: number, value: number, message: string])[] = [
    [20, 100_000, "the table of load commands lies outside the file"],
    [36, 4, "a load command passes the end of the table"],
    [36, 1_000_000, "a load command passes the end of the table"],
    [32 + 64, 9, "a load command is too short"],
    [section + 40, 1_000_000, "lie outside the file"],
    [section + 52, 40, "the alignment is above 2^30"],
    [section + 60, 100_000, "the relocation table lies outside the file"],
    [symtab + 12, 100_000, "the symbol table lies outside the file"],
    [symtab + 16, 100_000, "the string table lies outside the file"],
    [symbols, 1_000, "a symbol's name lies outside the string table"],
    [symbols + 4, 0x0000_090f, "a symbol's section does not exist"],
    [symbols + 4, 0x0000_0105, "a symbol's type 0x4 does not exist in objects"],
    [symbols + 8, 99, "a symbol lies outside its section"],
    [table, 14, "a relocation lies outside its section"],
    [table + 4, 0x2d00_0007, "a relocation's symbol does not exist"],
    [table + 4, 0x2500_0007, "a relocation's section does not exist"],
    [table + 4, 0x5d00_0000, "a difference has no second symbol"],
  ];
  for (const [at, value, message] of cases) {
    const bytes = good.slice();
    new DataView(bytes.buffer).setUint32(at, value, true);
    refused(bytes, "InvalidFormat", message);
  }
  const end = view.getUint32(symtab + 16, true) + view.getUint32(symtab + 20, true);
  for (let length = 4; length < end; length += 3) {
    assertThrows(() => parseMachObject("a.o", good.slice(0, length)), LoadError);
  }
});
