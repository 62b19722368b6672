// Which types a link keeps, and what it says of debug information that it cannot read.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { formatMap } from "../../src/link/map.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { archive, functionObject } from "../support/objects.ts";
import { assertLoadError, hostBuilder } from "../support/testing.ts";
import { declarationsIn, typesFixture, typesIn } from "../support/types.ts";

const SAMPLE = { name: "sample.o", bytes: typesFixture("sample.o") };
const PLAIN = { name: "plain.o", bytes: functionObject("plain", 1) };

/** The declarations in a module that gcc and the linker make of sources. */
async function compiled(
  folder: string,
  sources: Readonly<Record<string, string>>,
  flags: readonly string[],
  options: LinkOptions = {},
) {
  const inputs = [];
  for (const [name, text] of Object.entries(sources)) {
    Deno.writeTextFileSync(`${folder}/${name}`, text);
    const args = ["-fPIC", "-c", ...flags, name, "-o", `${name}.o`];
    const { success, stderr } = await new Deno.Command("gcc", { args, cwd: folder }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    inputs.push({ name: `${name}.o`, bytes: Deno.readFileSync(`${folder}/${name}.o`) });
  }
  const { bytes, map } = linkObjects(inputs, options);
  return { file: parseSmf(bytes), map };
}

Deno.test("types are kept by default, and left out by the option off", () => {
  assert(parseSmf(linkObjects([SAMPLE]).bytes).types() !== undefined);
  const without = parseSmf(linkObjects([SAMPLE], { types: "off" }).bytes);
  assertEquals(without.types(), undefined);
  assert(!without.sections.some(({ type }) => type === SectionType.TypeInfo));
});

Deno.test("objects without debug information have no types, and are an error for require", () => {
  const file = parseSmf(linkObjects([SAMPLE, PLAIN]).bytes);
  assertEquals(typesIn(file).of(file.symbols.find("plain")!), undefined);
  const error = assertLoadError(() => linkObjects([SAMPLE, PLAIN], { types: "require" }), "Unsupported", {
    path: "plain.o",
    symbol: "plain",
  });
  assertStringIncludes(error.data.hint!, "-g");
  linkObjects([SAMPLE], { types: "require" });
});

Deno.test("a module has the types of what it exports and of its variables, not of other functions", () => {
  const file = parseSmf(linkObjects([SAMPLE], { exports: ["scale"] }).bytes);
  const declared = declarationsIn(file);
  assertEquals(declared.filter((line) => line.includes("(")), ["point scale(point p, double factor)"]);
  for (const variable of ["int counter", "int made.0", "uint8_t grid[8][4]"]) {
    assert(declared.includes(variable));
  }
});

Deno.test("names that are left out of the file leave the types of variables", () => {
  const file = parseSmf(linkObjects([SAMPLE], { exports: ["calls"], strip: true }).bytes);
  assertEquals(declarationsIn(file), ["int calls()"]);
  const { value } = parseSmf(linkObjects([SAMPLE], { exports: ["calls"] }).bytes).symbols.find("counter")!;
  const types = typesIn(file);
  assertEquals(types.declaration("", types.at(value)!), "int");
});

Deno.test("members of archives have types", () => {
  const library = archive([{ name: "sample.o", bytes: SAMPLE.bytes, symbols: ["add"] }]);
  const file = parseSmf(linkObjects([{ name: "lib.a", bytes: library }], { exports: ["add"] }).bytes);
  assertStringIncludes(declarationsIn(file).join("\n"), "int add(int a, int b)");
});

Deno.test("the same inputs give the same types, and the order of objects changes no declaration", () => {
  const shapes = { name: "shapes.o", bytes: typesFixture("shapes.o") };
  const link = (...inputs: (typeof SAMPLE)[]) => linkObjects(inputs).bytes;
  assertEquals(link(SAMPLE, shapes), link(SAMPLE, shapes));
  assertEquals(
    declarationsIn(parseSmf(link(SAMPLE, shapes))),
    declarationsIn(parseSmf(link(shapes, SAMPLE))),
  );
});

Deno.test("damaged debug information costs the types of its object, never the link", () => {
  const at = ".debug_abbrev";
  const bytes = SAMPLE.bytes.slice();
  // The table of abbreviations: its bytes follow those of .debug_info, whose header has the version 5 and the type 1.
  const view = new DataView(bytes.buffer);
  let info = -1;
  for (let i = 0; i < bytes.length - 12; i++) {
    if (
      view.getUint16(i + 4, true) === 5 && bytes[i + 6] === 1 && bytes[i + 7] === 8 &&
      view.getUint32(i + 8, true) === 0
    ) {
      info = i;
      break;
    }
  }
  assert(info > 0, at);
  view.setUint16(info + 4, 9, true);
  const { bytes: linked, map } = linkObjects([{ name: "damaged.o", bytes }, {
    name: "other.o",
    bytes: typesFixture("shapes.o"),
  }]);
  assertEquals(map.types.unreadable, [{ object: "damaged.o", reason: "it is DWARF 9, not 2 to 5" }]);
  const file = parseSmf(linked);
  assertEquals(typesIn(file).of(file.symbols.find("add")!), undefined);
  assert(typesIn(file).of(file.symbols.find("area")!) !== undefined);
  assertLoadError(() => linkObjects([{ name: "damaged.o", bytes }], { types: "require" }), "InvalidFormat", {
    path: "damaged.o",
  });
});

Deno.test("the map says how many types there are", () => {
  const { map } = linkObjects([SAMPLE]);
  assertEquals(map.types, { count: 52, typed: 21, unreadable: [] });
  assertStringIncludes(formatMap(map), "52 types of 21 functions and variables");
});

Deno.test("sections of other tools with the same type are no types", () => {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({
    name: "info",
    type: SectionType.TypeInfo,
    bytes: new TextEncoder().encode('{"types":[]}'),
  });
  assertEquals(parseSmf(builder.build()).types(), undefined);
});

Deno.test("a damaged section of types is an error that says where", () => {
  const file = parseSmf(linkObjects([SAMPLE]).bytes);
  const rebuilt = (bytes: Uint8Array, times = 1) => {
    const builder = new SmfBuilder({ arch: file.header.arch, platform: file.header.platform });
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
    for (let i = 0; i < times; i++) builder.section({ name: ".types", type: SectionType.TypeInfo, bytes });
    return parseSmf(builder.build(), { path: "rebuilt.smf" });
  };
  const error = assertLoadError(() => rebuilt(new TextEncoder().encode("{}")).types(), "InvalidFormat", {
    path: "rebuilt.smf",
  });
  assertStringIncludes(error.data.section!, ".types");
  const [section] = rebuilt(new Uint8Array(9)).sections.filter(({ name }) => name === ".types");
  const { data } = assertThrows(() => rebuilt(new Uint8Array(9)).types(), LoadError);
  assertEquals(data.offset, section.offset);
  assertLoadError(() => rebuilt(new Uint8Array(9), 2).types(), "InvalidFormat");
});

testWithCompilers(
  ["gcc"],
  "debug information in other files, or of another width, is said to be",
  async (folder) => {
    const source = { "a.c": "int add(int a, int b) { return a + b; }" };
    const split = await compiled(folder, source, ["-g", "-gsplit-dwarf"]);
    assertEquals(split.file.types(), undefined);
    assertEquals(split.map.types.unreadable, [{
      object: "a.c.o",
      reason: "the types are in a .dwo file (-gsplit-dwarf), which is not an input",
    }]);
    const wide = await compiled(folder, source, ["-g", "-gdwarf64"]);
    assertStringIncludes(wide.map.types.unreadable[0].reason, "64-bit DWARF");
  },
);

testWithCompilers(
  ["gcc"],
  "debug information without types gives none, and no wrong ones",
  async (folder) => {
    const source = { "a.c": "int add(int a, int b) { return a + b; } int counter; void nothing(void) {}" };
    assertEquals((await compiled(folder, source, ["-g1"])).file.types(), undefined);
    assertEquals((await compiled(folder, source, [])).file.types(), undefined);
  },
);

testWithCompilers(
  ["gcc"],
  "forms of debug information that compilers offer give the same types",
  async (folder) => {
    const source = {
      "a.c": `struct list { struct list *next; long value; } *head;
      long total(const struct list *list) { static int calls; calls++; return list ? list->value : 0; }`,
    };
    const expected = ["int calls.0", "long int total(const struct list *list)", "struct list *head"];
    for (
      const flags of [
        ["-g"],
        ["-g3"],
        ["-gdwarf-2"],
        ["-gdwarf-3"],
        ["-gdwarf-4"],
        ["-g", "-gz=zlib-gnu"],
        ["-g", "-O3", "-ffunction-sections", "-fdata-sections"],
        ["-g", "-flto", "-ffat-lto-objects"],
        ["-gdwarf-4", "-fdebug-types-section", "-gz"],
      ]
    ) {
      assertEquals(declarationsIn((await compiled(folder, source, flags)).file), expected, flags.join(" "));
    }
  },
);

testWithCompilers(
  ["gcc"],
  "functions that the compiler found to be equal have the types of their sources",
  async (folder) => {
    const source = {
      "a.c": `int first(int *p) { return *p * 17 + 4; }
      int second(int *q) { return *q * 17 + 4; }`,
    };
    const { file } = await compiled(folder, source, ["-g", "-O2"]);
    assertEquals(declarationsIn(file), ["int first(int *p)", "int second(int *q)"]);
  },
);

testWithCompilers(
  ["gcc"],
  "what an object only declares is known from the object that defines it",
  async (folder) => {
    const { file } = await compiled(folder, {
      "a.c":
        "struct state; long get(struct state *state); long twice(struct state *state) { return 2 * get(state); }",
      "b.c": "struct state { long value; }; long get(struct state *state) { return state->value; }",
    }, ["-g"]);
    const states = typesIn(file).types.filter((type) => type?.kind === "struct");
    assertEquals(states.length, 1);
  },
);
