// Reading archives: GNU and BSD names, symbol indexes of every kind, broken ones.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { Archive, isArchive } from "../../../src/link/elf/archive.ts";
import { archive, ascii, concat, functionObject, link, linkFails } from "../../support/objects.ts";

function names(bytes: Uint8Array): string[] {
  return [...new Archive("lib.a", bytes).members()].map(({ name }) => name);
}

function index(bytes: Uint8Array): [string, string][] {
  const found: [string, string][] = [];
  const lib = new Archive("lib.a", bytes);
  lib.visitIndex((source, start, end, header) => {
    found.push([new TextDecoder().decode(source.subarray(start, end)), lib.member(header).name]);
  });
  return found;
}

/** Makes a member whose header has the given fields. */
function member(name: string, bytes: Uint8Array, size = String(bytes.length)): Uint8Array {
  const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"644".padEnd(8)}${
    size.padEnd(10)
  }\`\n`;
  return concat([ascii(header), bytes, ascii(bytes.length % 2 === 1 ? "\n" : "")]);
}

const MAGIC = ascii("!<arch>\n");
const f = functionObject("f", 1);
const g = functionObject("g", 2);

Deno.test("archives are told from objects", () => {
  assert(isArchive(archive([])));
  assert(isArchive(archive([], { thin: true })));
  assert(!isArchive(f));
  assert(!isArchive(ascii("!<arch>")));
});

Deno.test("GNU names: short ones end with a slash, long ones are in a table", () => {
  const long = "a_name_that_is_longer_than_the_field.o";
  assertEquals(
    names(archive([{ name: "f.o", bytes: f }, { name: long, bytes: g }, { name: "with space.o", bytes: g }])),
    [
      "lib.a(f.o)",
      `lib.a(${long})`,
      "lib.a(with space.o)",
    ],
  );
});

Deno.test("BSD names stand before the contents", () => {
  const long = "a_name_that_is_longer_than_the_field.o\0\0";
  const bytes = concat([MAGIC, member(`#1/${long.length}`, concat([ascii(long), g])), member("plain.o", f)]);
  assertEquals(names(bytes), ["lib.a(a_name_that_is_longer_than_the_field.o)", "lib.a(plain.o)"]);
  assertEquals([...new Archive("lib.a", bytes).members()][0].bytes, g);
});

Deno.test("a GNU index names the members that define symbols", () => {
  const bytes = archive([{ name: "f.o", bytes: f, symbols: ["f", "f2"] }, {
    name: "g.o",
    bytes: g,
    symbols: ["g"],
  }]);
  assertEquals(index(bytes), [["f", "lib.a(f.o)"], ["f2", "lib.a(f.o)"], ["g", "lib.a(g.o)"]]);
});

Deno.test("a 64-bit index is read too", () => {
  const head = new Uint8Array(16 + 2);
  const indexMember = member("/SYM64/", head);
  new DataView(indexMember.buffer).setBigUint64(60, 1n);
  new DataView(indexMember.buffer).setBigUint64(68, BigInt(8 + indexMember.length));
  indexMember.set(ascii("f\0"), 76);
  assertEquals(index(concat([MAGIC, indexMember, member("f.o/", f)])), [["f", "lib.a(f.o)"]]);
});

Deno.test("a BSD index is read too", () => {
  for (const name of ["__.SYMDEF", "__.SYMDEF SORTED"]) {
    const body = new Uint8Array(4 + 8 + 4 + 2);
    const view = new DataView(body.buffer);
    view.setUint32(0, 8, true);
    view.setUint32(4, 0, true);
    view.setUint32(8, 8 + 60 + body.length, true);
    view.setUint32(12, 2, true);
    body.set(ascii("f\0"), 16);
    assertEquals(index(concat([MAGIC, member(name, body), member("f.o", f)])), [["f", "lib.a(f.o)"]]);
  }
});

Deno.test("the members of an archive without an index are searched", () => {
  const bytes = archive([{ name: "notes.txt", bytes: ascii("hello") }, { name: "f.o", bytes: f }, {
    name: "g.o",
    bytes: g,
  }], {
    withIndex: false,
  });
  assertEquals(index(bytes), [["f", "lib.a(f.o)"], ["g", "lib.a(g.o)"]]);
  const linked = link({ "main.o": functionObject("main", 9, ["g"]), "lib.a": bytes });
  assertEquals(linked.map.members.map(({ member }) => member), ["lib.a(g.o)"]);
});

Deno.test("thin archives are refused by name", () => {
  const error = linkFails({ "lib.a": archive([], { thin: true }) }, "Unsupported", "thin archive");
  assertEquals(error.data.path, "lib.a");
  assert(error.hint.startsWith("make the archive without the modifier T"), error.hint);
});

Deno.test("broken headers and indexes are errors", () => {
  const refuses = (bytes: Uint8Array, message: string, work: (bytes: Uint8Array) => unknown = names) => {
    const error = assertThrows(() => work(bytes), LoadError);
    assert(error.kind === "InvalidFormat" && error.message.includes(message), error.message);
  };
  refuses(concat([MAGIC, ascii("short")]), "member's header");
  refuses(concat([MAGIC, member("f.o/", f, "12x")]), "header is broken");
  refuses(concat([MAGIC, member("f.o/", f, "")]), "header is broken");
  refuses(concat([MAGIC, member("f.o/", new Uint8Array(0), "12x")]), "header is broken");
  for (const at of [58, 59]) {
    const spoilt = concat([MAGIC, member("f.o/", f)]);
    spoilt[MAGIC.length + at] ^= 1;
    refuses(spoilt, "header is broken");
  }
  refuses(concat([MAGIC, member("f.o/", f, "9999999999")]), "passes the end");
  refuses(concat([MAGIC, member("/7", f)]), "outside the table of names");
  refuses(
    concat([MAGIC, member("//", ascii("long_name.o/\n")), member("/70", f)]),
    "outside the table of names",
  );
  refuses(concat([MAGIC, member("#1/900000", f)]), "name is broken");
  refuses(concat([MAGIC, member("#1/x", f)]), "name is broken");

  const counted = (count: number, text: string) => {
    const body = new Uint8Array(8 + text.length);
    new DataView(body.buffer).setUint32(0, count);
    new DataView(body.buffer).setUint32(4, 8);
    body.set(ascii(text), 8);
    return concat([MAGIC, member("/", body), member("f.o/", f)]);
  };
  refuses(counted(0xffffffff, "f\0"), "longer than its member", index);
  refuses(counted(1, "fff"), "cut off", index);
  refuses(counted(1, "f\0"), "does not exist", index);
  const bsd = new Uint8Array(12);
  new DataView(bsd.buffer).setUint32(0, 0xfffffff8, true);
  refuses(concat([MAGIC, member("__.SYMDEF", bsd)]), "longer than its member", index);
  new DataView(bsd.buffer).setUint32(0, 4, true);
  refuses(concat([MAGIC, member("__.SYMDEF", bsd)]), "longer than its member", index);
  // One pair, and a name that does not end where the index does.
  const torn = new Uint8Array(19).fill(0x66);
  new DataView(torn.buffer).setUint32(0, 8, true);
  new DataView(torn.buffer).setUint32(4, 0, true);
  new DataView(torn.buffer).setUint32(12, 3, true);
  refuses(concat([MAGIC, member("__.SYMDEF", torn), member("f.o/", f)]), "cut off", index);
});

Deno.test("a name that an index lists and the member does not define becomes an import", () => {
  const lying = archive([{ name: "f.o", bytes: f, symbols: ["wanted"] }]);
  const linked = link({ "main.o": functionObject("main", 9, ["wanted"]), "lib.a": lying });
  assertEquals(linked.importNames(), ["wanted"]);
});
