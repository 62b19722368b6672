// Weak externals of COFF objects: what each kind of search and of fallback comes to.
import { assertEquals } from "@std/assert";
import { addCoffFunction, CoffWriter, Rel, Scn, Select } from "../../support/coff_writer.ts";
import { archive, link, type Linked } from "../../support/objects.ts";

/** IMAGE_WEAK_EXTERN_*. */
const Search = { NO_LIBRARY: 1, LIBRARY: 2, ALIAS: 3, ANTI_DEPENDENCY: 4 } as const;

/** An object whose `caller` calls the weak external `f`, which falls back on the symbol that `add` returns. */
function weak(search: number, add: (writer: CoffWriter) => number): Uint8Array {
  const writer = new CoffWriter();
  const caller = writer.section({ name: ".text", flags: Scn.CODE, bytes: Uint8Array.of(0xe8, 0, 0, 0, 0) });
  writer.symbol({ name: "caller", section: caller, type: 0x20 });
  writer.relocation(caller, 1, writer.weak("f", add(writer), search), Rel.REL32);
  return writer.build();
}

function defines(name: string, value: number): Uint8Array {
  const writer = new CoffWriter();
  addCoffFunction(writer, name, value);
  return writer.build();
}

/** Adds a function; returns its symbol. */
function addFallback(writer: CoffWriter, value: number): number {
  const section = writer.section({
    name: ".text",
    flags: Scn.CODE,
    bytes: Uint8Array.of(0xb8, value, 0, 0, 0, 0xc3),
  });
  return writer.symbol({ name: "fallback", section, type: 0x20 });
}

const library = (name: string, value: number) =>
  archive([{ name: "member.obj", bytes: defines(name, value), symbols: [name] }]);

/** The function that `caller` calls, by its first bytes. */
function called(linked: Linked): number[] {
  return linked.bytesAt(linked.settled(linked.at("caller") + 1) + 4, 2);
}

const KINDS = Object.entries(Search);

Deno.test("the search of a weak external says whether archives are searched for it", () => {
  const fallbacks: ((writer: CoffWriter) => number)[] = [
    (writer) => writer.symbol({ name: "zero", section: -1, storage: 3 }),
    (writer) => addFallback(writer, 3),
    (writer) => writer.symbol({ name: "elsewhere" }),
  ];
  for (const [kind, search] of KINDS) {
    for (const [index, fallback] of fallbacks.entries()) {
      const linked = link({
        "a.obj": weak(search, fallback),
        "b.obj": defines("elsewhere", 4),
        "lib.a": library("f", 9),
      }, { exports: ["caller"] });
      const isPulled = linked.map.members.length > 0;
      assertEquals(isPulled, search === Search.LIBRARY, `${kind}, fallback ${index}`);
      if (isPulled) assertEquals(called(linked), [0xb8, 9]);
      else if (index > 0) assertEquals(called(linked), [0xb8, [0, 3, 4][index]]);
      else assertEquals(linked.map.imports.map(({ name, weak }) => [name, weak]), [["f", true]]);
    }
  }
});

Deno.test("a weak external with the fallback 0 stays weak, whatever its search", () => {
  for (const [kind, search] of KINDS) {
    const linked = link({
      "a.obj": weak(search, (writer) => writer.symbol({ name: "zero", section: -1, storage: 3 })),
    });
    assertEquals(linked.map.imports.map(({ name, weak }) => [name, weak]), [["f", true]], kind);
  }
});

Deno.test("a weak external that falls back on a name without a definition is needed", () => {
  for (const [kind, search] of KINDS) {
    const linked = link({ "a.obj": weak(search, (writer) => writer.symbol({ name: "elsewhere" })) });
    assertEquals(linked.map.imports.map(({ name, weak }) => [name, weak]), [["f", false]], kind);
  }
});

Deno.test("a weak external may fall back on a constant", () => {
  const writer = new CoffWriter();
  const data = writer.section({ name: ".data", flags: Scn.DATA, bytes: new Uint8Array(8), alignment: 8 });
  writer.symbol({ name: "holder", section: data });
  const five = writer.symbol({ name: "five", section: -1, value: 5, storage: 3 });
  writer.relocation(data, 0, writer.weak("f", five), Rel.ADDR64);
  const alone = link({ "a.obj": writer.build() });
  assertEquals([alone.map.imports, alone.int64(alone.at("holder"))], [[], 5n]);
});

Deno.test("a weak external whose fallback another object's COMDAT section replaces stands for that one", () => {
  const shared = (hasWeak: boolean, own: string) => {
    const writer = new CoffWriter();
    const bytes = Uint8Array.of(0xb8, 6, 0, 0, 0, 0xc3);
    const section = writer.section({ name: ".text$g", flags: Scn.CODE | Scn.COMDAT, bytes });
    writer.comdat(section, Select.ANY);
    const g = writer.symbol({ name: "g", section, type: 0x20 });
    const caller = writer.section({ name: ".text", flags: Scn.CODE, bytes: Uint8Array.of(0xe8, 0, 0, 0, 0) });
    writer.symbol({ name: own, section: caller, type: 0x20 });
    writer.relocation(caller, 1, hasWeak ? writer.weak("f", g) : g, Rel.REL32);
    return writer.build();
  };
  const [plain, weak] = [shared(false, "other"), shared(true, "caller")];
  for (const inputs of [{ "a.obj": plain, "b.obj": weak }, { "b.obj": weak, "a.obj": plain }]) {
    const linked = link(inputs);
    assertEquals(linked.map.imports, []);
    assertEquals(linked.settled(linked.at("caller") + 1) + 4, linked.at("g"));
  }
});

Deno.test("a chain of weak externals ends at the first name that is defined", () => {
  // The order of the symbols is that of the requests.
  const chain = (order: readonly string[]) =>
    weak(Search.ALIAS, (writer) => {
      const end = writer.symbol({ name: "elsewhere" });
      let last = end;
      for (const name of order) last = writer.weak(name, last);
      return last;
    });
  for (const order of [["second", "first"], ["first", "second"], []]) {
    const linked = link({ "a.obj": chain(order), "b.obj": defines("elsewhere", 8) });
    assertEquals(linked.map.imports, []);
    assertEquals(called(linked), [0xb8, 8]);
  }
  const inside = link({
    "a.obj": chain(["second", "first"]),
    "b.obj": defines("elsewhere", 8),
    "c.obj": defines("second", 7),
  });
  assertEquals(called(inside), [0xb8, 7]);
});
