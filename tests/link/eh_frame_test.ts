// Call frame information: the records of functions that are kept, and no others.
import { assertEquals } from "@std/assert";
import { SymbolBinding } from "../../src/os/elf.ts";
import { addFunction, CODE, ElfWriter, link, linkFails, RODATA } from "../support/objects.ts";

const PC32 = 2;

/** Adds a CIE of 24 bytes, and an FDE of 24 for each function; `lsda` adds a reference to a table of handlers. */
function frames(
  writer: ElfWriter,
  functions: readonly { section: number; lsda?: number }[],
  personality?: string,
  type = PC32,
): void {
  const bytes = new Uint8Array(24 * (1 + functions.length) + 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 20, true); // length of the CIE; its id is 0
  functions.forEach((_, i) => {
    const at = 24 * (i + 1);
    view.setUint32(at, 20, true); // length of the FDE
    view.setUint32(at + 4, at + 4, true); // distance back to the CIE
    view.setUint32(at + 12, 16, true); // bytes of code
  });
  const section = writer.section({ name: ".eh_frame", flags: RODATA, bytes, alignment: 8 });
  if (personality !== undefined) {
    writer.relocation(section, { offset: 16, symbol: writer.symbol({ name: personality }), type: PC32 });
  }
  functions.forEach(({ section: text, lsda }, i) => {
    const at = 24 * (i + 1);
    writer.relocation(section, { offset: at + 8, symbol: writer.sectionSymbol(text), type });
    if (lsda !== undefined) {
      writer.relocation(section, { offset: at + 16, symbol: writer.sectionSymbol(lsda), type: PC32 });
    }
  });
}

function localFunction(writer: ElfWriter, name: string): number {
  return writer.section({ name: `.text.${name}`, flags: CODE, bytes: new Uint8Array(16), alignment: 16 });
}

function plain(): Uint8Array {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(16));
  const dropped = localFunction(writer, "dropped");
  const g = addFunction(writer, "g", new Uint8Array(16));
  frames(writer, [{ section: f }, { section: dropped }, { section: g }]);
  return writer.build();
}

Deno.test("C code without handlers has no frame information, unless asked for", () => {
  const names = (options: { unwind?: boolean }) =>
    link(plain(), options).map.sections.map(({ name }) => name);
  assertEquals(names({}), [".text"]);
  assertEquals(names({ unwind: true }), [".text", ".eh_frame"]);
});

Deno.test("records of dropped functions are left out, and the distances to the CIE are adapted", () => {
  const linked = link(plain(), { unwind: true });
  const { address, size } = linked.section(".eh_frame");
  assertEquals(size, 24 * 3 + 4);
  const word = (at: number) => linked.int32(address + at) >>> 0;
  assertEquals([word(0), word(4)], [20, 0], "the CIE");
  assertEquals([word(24), word(28)], [20, 28], "the first FDE");
  assertEquals([word(48), word(52)], [20, 52], "the second FDE");
  assertEquals(word(72), 0, "the end");
  assertEquals(linked.settled(address + 24 + 8), linked.at("f"));
  assertEquals(linked.settled(address + 48 + 8), linked.at("g"));
});

Deno.test("equal CIEs of different objects become one", () => {
  const other = () => {
    const writer = new ElfWriter();
    const f = addFunction(writer, "other", new Uint8Array(16));
    frames(writer, [{ section: f }]);
    return writer.build();
  };
  const linked = link({ "1.o": plain(), "2.o": other() }, { unwind: true });
  const { address, size } = linked.section(".eh_frame");
  assertEquals(size, 24 * 4 + 4);
  assertEquals(linked.int32(address + 76), 76);
});

/** Makes an object with `f`, and `thrower`, which has handlers. */
function withHandlers(reached: boolean): Uint8Array {
  const writer = new ElfWriter();
  const thrower = reached
    ? addFunction(writer, "thrower", new Uint8Array(16))
    : localFunction(writer, "thrower");
  const f = addFunction(writer, "f", new Uint8Array(16));
  const landing = localFunction(writer, "landing");
  const table = writer.section({ name: ".gcc_except_table", flags: RODATA, bytes: new Uint8Array(8) });
  writer.relocation(table, { offset: 0, symbol: writer.sectionSymbol(landing), type: PC32 });
  frames(writer, [{ section: f }, { section: thrower, lsda: table }], "personality");
  return writer.build();
}

Deno.test("handlers keep frame information, their tables and the personality function", () => {
  const linked = link(withHandlers(true));
  assertEquals(
    linked.map.sections.map(({ name }) => name),
    [".text", ".eh_frame", ".rodata"].toSorted((a, b) =>
      linked.section(a).address - linked.section(b).address
    ),
  );
  assertEquals(linked.importNames(), ["personality"]);
  const texts = linked.map.sections[0].entries.map(({ section }) => section);
  assertEquals(texts, [".text.thrower", ".text.f", ".text.landing"]);
});

Deno.test("handlers of dropped functions keep nothing", () => {
  const linked = link(withHandlers(false));
  assertEquals(linked.map.sections.map(({ name }) => name), [".text"]);
  assertEquals(linked.importNames(), []);
});

Deno.test("without unwinding, neither records nor handlers are kept", () => {
  const linked = link(withHandlers(true), { unwind: false });
  assertEquals(linked.map.sections.map(({ name }) => name), [".text"]);
  assertEquals(linked.importNames(), []);
});

Deno.test("broken frame information is an error", () => {
  const broken = (change: (view: DataView) => void) => {
    const writer = new ElfWriter();
    addFunction(writer, "f", new Uint8Array(16));
    const bytes = new Uint8Array(52);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 20, true);
    view.setUint32(24, 20, true);
    view.setUint32(28, 28, true);
    change(view);
    const section = writer.section({ name: ".eh_frame", flags: RODATA, bytes });
    const symbol = writer.symbol({ name: "x", section, binding: SymbolBinding.LOCAL });
    writer.relocation(section, { offset: 44, symbol, type: PC32 });
    return writer.build();
  };
  link(broken(() => {}));
  linkFails(broken((view) => view.setUint32(24, 200, true)), "InvalidFormat", "frame information is broken");
  linkFails(
    broken((view) => view.setUint32(24, 0xffffffff, true)),
    "InvalidFormat",
    "frame information is broken",
  );
  linkFails(
    broken((view) => view.setUint32(24, 2, true)),
    "InvalidFormat",
    "frame information is broken: a record",
  );
  linkFails(
    broken((view) => view.setUint32(28, 4, true)),
    "InvalidFormat",
    "frame information is broken: an FDE",
  );
  linkFails(broken((view) => view.setUint32(24, 0, true)), "InvalidFormat", "outside every frame record");
});

Deno.test("frame information that gives a function by a slot in place of its address is an error", () => {
  const GOT32 = 3, GOTTPOFF = 22, GOTPCREL = 9;
  for (const type of [GOT32, GOTTPOFF, GOTPCREL]) {
    const writer = new ElfWriter();
    frames(writer, [{ section: addFunction(writer, "f", new Uint8Array(16)) }], undefined, type);
    linkFails(writer.build(), "InvalidFormat", `relocation type ${type} is none for the address`, {
      unwind: true,
    });
  }
});

Deno.test("names of C++, of Rust and of functions that raise exceptions keep frame information", () => {
  const calling = (needs: string) => {
    const writer = new ElfWriter();
    const f = addFunction(writer, "f", new Uint8Array(16));
    writer.relocation(f, { offset: 4, symbol: writer.symbol({ name: needs }), type: 4, addend: -4 });
    frames(writer, [{ section: f }]);
    return link(writer.build()).map.sections.map(({ name }) => name).includes(".eh_frame");
  };
  const raising = ["_ZN1a1bEv", "_RNvCs1_1a1b", "_Unwind_Backtrace", "__cxa_throw", "__cxa_rethrow"];
  assertEquals(raising.map(calling), raising.map(() => true));
  const others = ["puts", "__cxa_atexit", "_exit", "Z", "__cxa_throw_nothing"];
  assertEquals(others.map(calling), others.map(() => false));
});
