// The parts of the published bundle that few programs need: made when something of them is used, once, and not before.
import { assertEquals, assertThrows } from "@std/assert";
import { deferParts } from "../lazy_parts.ts";

/** A bundle that counts which modules have been made. */
const BUNDLE = `// ../src/errors/load_error.ts
var made = [];
function madeModules() {
  return made;
}
// ../src/types/shape.ts
made.push("shape");
var Shape = class {
  static named(name) {
    return Object.assign(new Shape(), { name });
  }
};
// ../src/types/size.ts
var unit = 8;
function sizeOf(shape) {
  return shape.name.length * unit;
}
// ../src/module/loader.ts
made.push("loader");
var Loader = class {
  reported = [];
  load(name) {
    return name === undefined ? "loaded" : new Shape().constructor.named(name);
  }
  parts() {
    const { length } = this.reported;
    return { Shape, length, size: sizeOf };
  }
};
// ../src/link/names.ts
made.push("names");
var NAMES = ["linked", Shape.named("name").name];
// ../src/link/linker.ts
function linkObjects(a, b) {
  return [...NAMES, a, b];
}
async function later() {
  return sizeOf({ name: "four" });
}
export {
  Loader,
  NAMES as names,
  later,
  linkObjects,
  madeModules
};
`;

interface Bundle {
  readonly Loader: new () => {
    load(name?: string): unknown;
    parts(): Record<string, unknown>;
  };
  readonly later: () => Promise<number>;
  readonly linkObjects: (...values: unknown[]) => unknown;
  readonly madeModules: () => string[];
}

/** The text that runs when a bundle is imported, and when its loader loads without a name. */
function runsOf(bundle: string): (at: number) => boolean {
  const inner = [...bundle.matchAll(/\{\n[^]*?\n {0,2}\}\n/g)];
  const loads = bundle.indexOf("return name"), shape = bundle.indexOf("new Shape().constructor");
  return (at) =>
    at >= loads && at < shape || !inner.some(({ index, 0: { length } }) => at > index && at < index + length);
}

function deferred(bundle = BUNDLE): ReturnType<typeof deferParts> {
  return deferParts(bundle, runsOf(bundle), ["Loader", "later", "linkObjects", "madeModules"]);
}

/** Imports a bundle, a new one each time. */
async function run(text: string): Promise<Bundle & Record<string, () => Record<string, unknown>>> {
  return await import(`data:text/javascript,${encodeURIComponent(`${text}// ${crypto.randomUUID()}`)}`);
}

Deno.test("a part is made at its first use and only then, with the parts that it uses", async () => {
  assertEquals((await run(BUNDLE)).madeModules(), ["shape", "loader", "names"]);
  const { Loader, later, linkObjects, madeModules } = await run(deferred().text);
  const loader = new Loader();
  assertEquals(loader.load(), "loaded");
  assertEquals(madeModules(), ["loader"]);
  assertEquals({ ...loader.load("circle") as object }, { name: "circle" });
  assertEquals(madeModules(), ["loader", "shape"]);
  assertEquals([linkObjects(1, 2), linkObjects(3, 4)], [["linked", "name", 1, 2], ["linked", "name", 3, 4]]);
  assertEquals(await later(), 32);
  assertEquals(madeModules(), ["loader", "shape", "names"]);
});

Deno.test("names of properties stay, and values of parts have their names", async () => {
  const { Loader } = await run(deferred().text);
  const { Shape, length, size } = new Loader().parts();
  assertEquals([length, (size as (shape: unknown) => number)({ name: "ab" })], [0, 16]);
  assertEquals((Shape as { name: string }).name, "Shape");
});

Deno.test("a variable that its part changes later is read as it is then", async () => {
  const counting = BUNDLE.replace("function sizeOf(shape) {", "function sizeOf(shape) {\n  unit += 1;")
    .replace("size: sizeOf", "size: sizeOf, unit");
  const { Loader } = await run(deferred(counting).text);
  const { size, unit } = new Loader().parts();
  assertEquals(unit, 8);
  (size as (shape: unknown) => number)({ name: "a" });
  assertEquals(new Loader().parts().unit, 9);
});

Deno.test("lines stay where they are", () => {
  const [before, after] = [BUNDLE, deferred().text].map((text) => text.split("\n"));
  const exporting = before.indexOf("export {");
  for (let line = 0; line < exporting; line++) {
    const changed = after[line].replaceAll(/\(?\$part\d+\(\)\.(Shape|sizeOf)\)?/g, "$1").replace(
      "Shape: Shape",
      "Shape",
    );
    assertEquals(changed.slice(0, before[line].length), before[line]);
  }
});

Deno.test("exports that are not functions come from their part, if not wanted at once", async () => {
  const { text, later } = deferred();
  const maker = later.get("names")!;
  assertEquals([...later.keys()], ["names"]);
  const bundle = await run(text);
  assertEquals("names" in bundle, false);
  assertEquals(bundle.madeModules(), ["loader"]);
  assertEquals(bundle[maker]().NAMES, ["linked", "name"]);

  const all = deferParts(BUNDLE, () => true, ["Loader", "names"]);
  assertEquals([...all.later], []);
  assertEquals((await run(all.text)).madeModules(), ["shape", "loader", "names"]);
});

Deno.test("a module that nobody would make runs with the bundle", async () => {
  const alone = BUNDLE.replace("// ../src/link/names.ts", '// ../src/os/check.ts\nmade.push("check");\n$&');
  assertEquals((await run(deferred(alone).text)).madeModules(), ["loader", "check"]);
});

Deno.test("a name that another part sets is refused, in every way of setting", () => {
  for (
    const set of ["unit = 4", "unit++", "[unit] = [4]", "({ unit } = { unit: 4 })", "for (unit of [4]);"]
  ) {
    const bundle = BUNDLE.replace("this.reported;", `this.reported;\n    ${set};`);
    assertThrows(() => deferred(bundle), Error, "another part sets unit");
  }
});

Deno.test("a bundle without exports at its end, or with a name declared twice, is refused", () => {
  assertThrows(() => deferred("var a = 1;\n"), Error, "exports");
  const bundle = BUNDLE.replace("load(name) {", "load(name) {\n    const unit = 1;");
  assertThrows(() => deferred(bundle), Error, "an inner scope declares unit again");
});
