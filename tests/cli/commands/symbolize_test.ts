// Offsets as smf symbolize explains them: with lines, compressed, in a companion file, and without.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FOLDER, objectName } from "../../../fixtures/build_crashes.ts";
import { linkObjects, type LinkOptions } from "../../../src/link/linker.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { lineOf } from "../../support/debug_sources.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const SOURCE = Deno.readTextFileSync(new URL("crashes.c", FOLDER));
const STORE = lineOf("*at = 1;", SOURCE), BY_STORE = lineOf("int by_store(int number)", SOURCE);

/** Links the fixture into a folder; returns the path, and the offset of a function. */
function link(folder: TemporaryDirectory, options: LinkOptions = {}, variant = "lines"): [string, number] {
  const name = objectName(variant, "x86_64", "linux");
  const { bytes, debugFile } = linkObjects([{
    name,
    bytes: Deno.readFileSync(new URL(name, FOLDER)),
  }], options);
  if (debugFile !== undefined) folder.file(options.debug!, debugFile);
  const symbol = [...parseSmf(bytes).symbols].find(({ name }) => name === "store")!;
  return [folder.file("a.smf", bytes), symbol.value];
}

Deno.test("symbolize finds functions and lines, also of compressed debug information and in a companion file", async () => {
  for (const options of [{}, { compressDebug: true }, { debug: "a.debug" }] as const) {
    using folder = new TemporaryDirectory();
    const [path, store] = link(folder, options);
    const { code, out, err } = await smf("symbolize", path, `${store}`, "by_store+0x5", "store");
    assertEquals([code, err], [0, []]);
    const place = `0x${store.toString(16)}`;
    assertMatch(out[0], new RegExp(`^${place} store\\+0x0 at \\S*crashes\\.c:${STORE}$`));
    assertMatch(out[1], new RegExp(`^0x[0-9a-f]+ by_store\\+0x5 at \\S*crashes\\.c:${BY_STORE}$`));
    assertEquals(out[2], out[0]);
  }
});

Deno.test("symbolize prints one JSON document", async () => {
  using folder = new TemporaryDirectory();
  const [path, store] = link(folder);
  const { out } = await smf("symbolize", path, "--json", "store");
  const { places: [place, ...more] } = JSON.parse(out.join("\n"));
  assertEquals([place.offset, place.function, place.distance, more], [store, "store", 0, []]);
  assertEquals(place.frames.map(({ name, line }: { name: string; line: number }) => `${name} ${line}`), [
    `store ${STORE}`,
  ]);
});

Deno.test("symbolize says why there are no lines, and what is at the offset all the same", async () => {
  using folder = new TemporaryDirectory();
  const [path] = link(folder, { debug: "a.debug" });
  Deno.writeTextFileSync(`${folder.path}/a.debug`, "another link");
  const other = await smf("symbolize", path, "by_store+5");
  assertEquals(other.code, 1);
  assertMatch(other.out[0], /^0x[0-9a-f]+ by_store\+0x5$/);
  assertStringIncludes(other.err[0], "its companion file 'a.debug' is not in ");
  const [plain] = link(folder, {}, "plain");
  const without = await smf("symbolize", plain, "by_store");
  assertEquals(without.code, 1);
  assertStringIncludes(without.err[0], "compile it with -g");
});

Deno.test("symbolize refuses functions that a module lacks, and offsets that are none", async () => {
  using folder = new TemporaryDirectory();
  const [path] = link(folder);
  const { code, out, err } = await smf("symbolize", path, "by_stor+0x5");
  assertEquals([code, out], [1, []]);
  assertStringIncludes(err[0], "Cannot find 'by_stor': the module has no such function");
  assertEquals(err[1], "next: did you mean 'by_store'?");
  assertEquals((await smf("symbolize", path)).code, 2);
  assertEquals((await smf("symbolize", path, "0xffffffffffffffffff")).code, 2);
  assertMatch((await smf("symbolize", path, "0x7fffffff")).out[0], /^0x7fffffff \?$/);
});
