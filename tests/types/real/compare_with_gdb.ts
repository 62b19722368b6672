// The types of every export of real modules are those that gdb tells: `deno task types`.
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { linkObjects } from "../../../src/link/linker.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { nativeFunction } from "../../../src/types/native.ts";
import { compile, hasCommand } from "../../support/compilers.ts";
import { canRun } from "../../support/real_archives.ts";
import { typesIn } from "../../support/types.ts";
import { oneSpelling, whatis } from "./gdb.ts";
import { buildLibrary, fetchSources, LIBRARIES } from "../../support/library_sources.ts";

const folder = Deno.makeTempDirSync({ prefix: "types-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const missing = await whyNot();
if (missing !== undefined) console.log(`SKIPPED types of real libraries: ${missing}`);

/** Returns why the comparison cannot run here. */
async function whyNot(): Promise<string | undefined> {
  const command = ["gdb", "gcc", "g++", "npm", "apt-get"].find((name) => !hasCommand(name));
  if (command !== undefined) return `needs ${command}`;
  if (!canRun) return "needs Linux x86-64";
  try {
    await fetchSources(folder);
  } catch (error) {
    return `the sources cannot be fetched: ${(error as Error).message}`;
  }
}

interface Module {
  readonly objects: readonly string[];
  /** The same code as a shared library with debug information. */
  readonly library: string;
  readonly language: string;
  readonly exports: readonly string[];
}

/** Compares all exports; returns how many gdb knows, how many can be called, and the ratio of the sizes. */
async function compare({ objects, library, language, exports }: Module) {
  const inputs = objects.map((name) => ({ name, bytes: Deno.readFileSync(name) }));
  const { bytes } = linkObjects(inputs, { exports, types: "keep" });
  const file = parseSmf(bytes);
  const types = typesIn(file);
  const symbols = [...file.symbols].filter(({ binding, visibility }) => binding !== 0 && visibility !== 0);
  const answers = await whatis(library, symbols.map(({ name }) => name), folder, language);
  const different: string[] = [];
  let callable = 0;
  for (const symbol of symbols) {
    const id = types.of(symbol);
    const answer = answers.get(symbol.name);
    const own = id === undefined ? undefined : types.declaration("", id, { parameterNames: false });
    if (answer !== undefined && oneSpelling(answer) !== oneSpelling(own ?? "")) {
      different.push(`${symbol.name}: ${own}, gdb says ${answer}`);
    }
    const type = id === undefined ? undefined : types.types[id];
    if (type?.kind === "function" && !("reason" in nativeFunction(types.types, type))) callable++;
  }
  assertEquals(different, []);
  const ratio = bytes.length / linkObjects(inputs, { exports, types: "off" }).bytes.length;
  return { count: symbols.length, known: answers.size, callable, ratio };
}

for (const compiler of ["gcc", "clang-14"]) {
  for (const library of LIBRARIES) {
    // clang takes a minute for SQLite, and tells nothing of it in another way.
    if (compiler !== "gcc" && library.name === "sqlite3") continue;
    const skipped = missing !== undefined || !hasCommand(compiler);
    Deno.test({
      name: `${library.name} by ${compiler}: every export has the type that gdb tells${
        skipped ? " (SKIPPED)" : ""
      }`,
      ignore: skipped,
      fn: async () => {
        const objects = await buildLibrary(folder, library, compiler);
        const shared = join(folder, `${library.name}-${compiler}.so`);
        await compile(compiler, ["-shared", "-o", shared, ...objects]);
        const { count, known, callable, ratio } = await compare({
          objects,
          library: shared,
          language: "c",
          exports: ["*"],
        });
        console.log(
          `types: ${library.name}: ${known} of ${count} exports compared, ${callable} can be called, ${
            ratio.toFixed(3)
          }`,
        );
        // gcc leaves out what it found equal to another function.
        assert(known >= 0.98 * count, `gdb knows ${known} of ${count}`);
        assert(ratio <= library.largest, `the types make the module ${ratio} times as large`);
      },
    });
  }
}

Deno.test({
  name: `a C++ module: every export has the type that gdb tells${missing === undefined ? "" : " (SKIPPED)"}`,
  ignore: missing !== undefined,
  fn: async () => {
    for (const name of ["types/shapes", "cpp/tour"]) {
      const source = new URL(`../../../fixtures/src/${name}.cpp`, import.meta.url).pathname;
      const object = join(folder, "cpp.o"), library = join(folder, "cpp.so");
      await compile("g++", ["-g", "-O1", "-fPIC", "-c", source, "-o", object]);
      await compile("g++", ["-shared", "-o", library, object]);
      const { count, known } = await compare({ objects: [object], library, language: "c++", exports: ["*"] });
      console.log(`types: ${name}: ${known} of ${count} exports compared`);
      assert(known > 10);
    }
  },
});

const rust = hasCommand("rustc") && missing === undefined;
Deno.test({
  name: `a Rust module: every export has the type that gdb tells${rust ? "" : " (SKIPPED: needs rustc)"}`,
  ignore: !rust,
  fn: async () => {
    const source = new URL("../../../fixtures/src/rust/tour.rs", import.meta.url).pathname;
    const [object, library] = [join(folder, "tour.a"), join(folder, "tour.so")];
    await compile("rustc", ["-g", "-O", "--crate-type", "staticlib", source, "-o", object]);
    await compile("rustc", ["-g", "-O", "--crate-type", "cdylib", source, "-o", library]);
    const exports = [...Deno.readTextFileSync(source).matchAll(/no_mangle[^]*?\bfn (\w+)/g)].map(([, name]) =>
      name
    );
    const { count, known } = await compare({ objects: [object], library, language: "c", exports });
    console.log(`types: tour.rs: ${known} of ${count} exports compared`);
    assertEquals(known, count);
  },
});
