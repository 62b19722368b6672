// COMDAT sections of COFF objects: which of several is linked, by their selection.
import { assert, assertEquals } from "@std/assert";
import { addCoffFunction, CoffWriter, Rel, Scn, Select } from "../../support/coff_writer.ts";
import { imageOffsets } from "../../../src/smf/offsets.ts";
import { link, type Linked, linkFails } from "../../support/objects.ts";

/** An object with `f` in a COMDAT section, and a function of its own that calls it. */
function comdat(selection: number, bytes: readonly number[], own: string): Uint8Array {
  const writer = new CoffWriter();
  const section = writer.section({
    name: ".text$f",
    flags: Scn.CODE | Scn.COMDAT,
    bytes: Uint8Array.from(bytes),
    alignment: 16,
  });
  writer.comdat(section, selection);
  const f = writer.symbol({ name: "f", section, type: 0x20 });
  const caller = writer.section({ name: ".text", flags: Scn.CODE, bytes: Uint8Array.of(0xe8, 0, 0, 0, 0) });
  writer.symbol({ name: own, section: caller, type: 0x20 });
  writer.relocation(caller, 1, f, Rel.REL32);
  return writer.build();
}

/** The bytes at `f`, after all callers were seen to reach it. */
function chosen(linked: Linked, length: number): number[] {
  for (const name of ["a", "b"]) assertEquals(linked.settled(linked.at(name) + 1) + 4, linked.at("f"));
  return linked.bytesAt(linked.at("f"), length);
}

Deno.test("COMDAT sections are chosen by their selection", () => {
  const both = (selection: number, first: number[], second: number[]) =>
    link({ "1.obj": comdat(selection, first, "a"), "2.obj": comdat(selection, second, "b") });
  assertEquals(chosen(both(Select.ANY, [1, 1], [2]), 2), [1, 1]);
  assertEquals(chosen(both(Select.SAME_SIZE, [1, 1], [2, 2]), 2), [1, 1]);
  assertEquals(chosen(both(Select.EXACT, [1, 1], [1, 1]), 2), [1, 1]);
  assertEquals(chosen(both(Select.LARGEST, [1, 1], [2, 2, 2]), 3), [2, 2, 2], "the later one is larger");
  assertEquals(chosen(both(Select.LARGEST, [1, 1, 1], [2, 2]), 3), [1, 1, 1], "the earlier one is larger");
});

Deno.test("zeroed COMDAT sections are equal if their sizes are, also to zeros in the file", () => {
  const variable = (own: string, bytes?: Uint8Array) => {
    const writer = new CoffWriter();
    // What is in front of the section differs from object to object.
    addCoffFunction(writer, own, own.charCodeAt(0));
    const flags = (bytes === undefined ? Scn.BSS : Scn.DATA) | Scn.COMDAT;
    const section = writer.section({ name: ".data", flags, size: 16, ...(bytes !== undefined && { bytes }) });
    writer.comdat(section, Select.EXACT);
    writer.symbol({ name: "v", section });
    return writer.build();
  };
  const zeros = () => variable("zeros", new Uint8Array(16));
  const all = [variable("a"), variable("another"), zeros()];
  for (const [first, second] of [[0, 1], [0, 2], [2, 0], [1, 0]]) {
    link({ "1.obj": all[first], "2.obj": all[second] });
  }
  const others = variable("others", new Uint8Array(16).fill(1));
  for (const [first, second] of [[all[0], others], [others, all[0]]]) {
    linkFails({ "1.obj": first, "2.obj": second }, "Incompatible", "other bytes");
  }
});

Deno.test("COMDAT sections that break their selection are errors that name both objects", () => {
  const fails = (selection: number, first: number[], second: number[], message: string) => {
    const error = linkFails(
      { "1.obj": comdat(selection, first, "a"), "2.obj": comdat(selection, second, "b") },
      "Incompatible",
      message,
    );
    assertEquals([error.data.path, error.data.symbol], ["2.obj", "f"]);
    assert(error.message.includes("1.obj"), error.message);
  };
  fails(Select.SAME_SIZE, [1, 1], [2], "other size");
  fails(Select.EXACT, [1, 1], [1, 2], "other bytes");
  fails(Select.ONE, [1], [1], "already defined");
});

Deno.test("an initialiser that is associated with a variable stays or goes with it", () => {
  const variable = (selection: number, size: number, own: string) => {
    const writer = new CoffWriter();
    const section = writer.section({ name: ".bss", flags: Scn.BSS | Scn.COMDAT, size });
    writer.comdat(section, selection);
    writer.symbol({ name: "shared", section });
    const init = addCoffFunction(writer, own, size);
    const entry = writer.section({
      name: ".CRT$XCU",
      flags: Scn.RODATA | Scn.COMDAT,
      bytes: new Uint8Array(8),
      alignment: 8,
    });
    writer.comdat(entry, Select.ASSOCIATIVE, section);
    writer.relocation(entry, 0, writer.symbol({ name: "entry", section: init, storage: 3 }), Rel.ADDR64);
    return writer.build();
  };
  /** The bytes of the functions that run at the start. */
  const started = (selection: number) => {
    const linked = link({ "1.obj": variable(selection, 4, "a"), "2.obj": variable(selection, 8, "b") });
    const { sections } = linked.file;
    const array = sections.findIndex(({ name }) => name === ".init_array");
    const start = imageOffsets(sections).offsets[array]!;
    return Array.from({ length: sections[array].size / 8 }, (_, i) => {
      return linked.bytesAt(linked.target(start + 8 * i), 2);
    });
  };
  assertEquals(started(Select.ANY), [[0xb8, 4]]);
  assertEquals(started(Select.LARGEST), [[0xb8, 8]]);
});
