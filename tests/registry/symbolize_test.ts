// What a registry says of addresses: of functions, variables, trampolines, earlier versions, with lines and without.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { compile } from "../support/compilers.ts";
import { C_SOURCE, lineOf } from "../support/debug_sources.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { canRun } from "../support/real_archives.ts";
import { typesFixture } from "../support/types.ts";
import { version } from "../support/versions.ts";

/** Compiles the source and links it; returns the module's path. */
async function build(folder: string, options: LinkOptions = {}, source = C_SOURCE): Promise<string> {
  Deno.writeTextFileSync(`${folder}/lines.c`, source);
  await compile("gcc", ["-g", "-O1", "-fPIC", "-c", "lines.c", "-o", "lines.o"], folder);
  const { bytes, debugFile } = linkObjects([{
    name: "lines.o",
    bytes: Deno.readFileSync(`${folder}/lines.o`),
  }], options);
  if (debugFile !== undefined) Deno.writeFileSync(`${folder}/${options.debug}`, debugFile);
  // Renamed into its place, as smf link does.
  Deno.writeFileSync(`${folder}/next.smf`, bytes);
  Deno.renameSync(`${folder}/next.smf`, `${folder}/lines.smf`);
  return `${folder}/lines.smf`;
}

/** The address of the code of a function: that of `addressOf` is a trampoline's. */
function codeOf(registry: ModuleRegistry, path: string, name: string): bigint {
  const { codeMemory: { address, size } } = registry.load(path);
  for (let offset = 0n; offset < BigInt(size); offset++) {
    const found = registry.symbolize(address + offset);
    if (found?.function === name && !found.isTrampoline) return address + offset;
  }
  throw new Error(`no code of ${name}`);
}

testWithCompilers(["gcc"], "an address leads to module, version, function, file and line", async (folder) => {
  const path = await build(folder);
  using registry = new ModuleRegistry();
  const start = codeOf(registry, path, "outer");
  const found = registry.symbolize(start)!;
  assertEquals(
    [found.module, found.version, found.function, found.offset, found.line, found.isTrampoline],
    [path, 1, "outer", 0, lineOf("int outer", C_SOURCE), false],
  );
  assertMatch(found.file!, /lines\.c$/);
  assertEquals(found.frames.map((frame) => frame.function), ["outer"]);
});

testWithCompilers(["gcc"], "inlined functions are listed, innermost first", async (folder) => {
  const path = await build(folder);
  using registry = new ModuleRegistry();
  const start = codeOf(registry, path, "inner");
  const chains = Array.from({ length: 60 }, (_, offset) => registry.symbolize(start + BigInt(offset))!)
    .filter((found) => found.function === "inner")
    .map(({ frames }) => frames.map(({ function: name, line }) => `${name}:${line}`).join(" < "));
  const deepest = `innermost:${lineOf("  depth_reached += x", C_SOURCE)} < twice:${
    lineOf("  int half", C_SOURCE)
  } < inner:${lineOf("  int local", C_SOURCE)}`;
  assert(chains.includes(deepest), chains.join("\n"));
});

testWithCompilers(
  ["gcc"],
  "a trampoline's address leads to its function, a variable's to the variable",
  async (folder) => {
    const path = await build(folder);
    using registry = new ModuleRegistry();
    const module = registry.load(path);
    using lease = module.addressOf("outer")!;
    const found = registry.symbolize(lease.address)!;
    assertEquals([found.function, found.offset, found.line, found.isTrampoline], [
      "outer",
      0,
      lineOf("int outer", C_SOURCE),
      true,
    ]);
    const { address, size } = registry.inspect().modules[0].versions[0];
    const names = new Set<string>();
    for (let at = 0; at < size; at++) {
      const variable = registry.symbolize(address + BigInt(at))?.variable;
      if (variable !== undefined) names.add(variable);
    }
    assertEquals([...names], ["depth_reached"]);
  },
);

testWithCompilers(
  ["gcc"],
  "versions that were replaced are known by number and function, in the lines of their own source",
  async (folder) => {
    const path = await build(folder, { reloadable: true });
    using registry = new ModuleRegistry({ keepVersions: Infinity });
    const before = codeOf(registry, path, "outer");
    // Asked for once, the debug information of a version is known for its life.
    assertEquals(registry.symbolize(before)?.line, lineOf("int outer", C_SOURCE));
    await build(folder, { reloadable: true }, `\n\n${C_SOURCE}`);
    registry.reload(path);
    const after = codeOf(registry, path, "outer");
    assertEquals(
      [before, after].map((address) => registry.symbolize(address)).map((
        found,
      ) => [found?.version, found?.function, found?.line]),
      [[1, "outer", lineOf("int outer", C_SOURCE)], [2, "outer", lineOf("int outer", C_SOURCE) + 2]],
    );
  },
);

testWithCompilers(["gcc"], "a file that is another by now tells no lines", async (folder) => {
  const path = await build(folder);
  using registry = new ModuleRegistry();
  const start = registry.load(path).codeMemory.address;
  await build(folder, {}, `\n${C_SOURCE}`);
  const found = registry.symbolize(start);
  assertEquals([found?.function !== undefined, found?.file, found?.frames], [true, undefined, []]);
});

testWithCompilers(
  ["gcc"],
  "a registry for debuggers knows the lines of versions whose files have changed",
  async (folder) => {
    const path = await build(folder, { reloadable: true });
    using registry = new ModuleRegistry({ keepVersions: Infinity, debug: true });
    const { codeMemory: { address, size } } = registry.load(path);
    await build(folder, { reloadable: true }, `\n\n${C_SOURCE}`);
    registry.reload(path);
    const lines = new Set<number | undefined>();
    for (let offset = 0; offset < size; offset++) {
      const found = registry.symbolize(address + BigInt(offset));
      if (found?.function === "outer") lines.add(found.line);
    }
    assertEquals([...lines], [
      lineOf("int outer", C_SOURCE),
      lineOf("return inner(n) + 1", C_SOURCE),
      lineOf("return inner(n) + 1", C_SOURCE) + 1,
    ]);
  },
);

testWithCompilers(
  ["gcc"],
  "a companion file is found beside the module, and only that of its own link",
  async (folder) => {
    const path = await build(folder, { debug: "lines.debug" });
    {
      using registry = new ModuleRegistry();
      assertEquals(registry.symbolize(codeOf(registry, path, "outer"))?.line, lineOf("int outer", C_SOURCE));
    }
    const other = Deno.readFileSync(`${folder}/lines.debug`);
    other[other.length - 1] ^= 1;
    Deno.writeFileSync(`${folder}/lines.debug`, other);
    using registry = new ModuleRegistry();
    assertEquals(registry.symbolize(codeOf(registry, path, "outer"))?.line, undefined);
  },
);

testWithCompilers(
  ["gcc"],
  "a module that was loaded from bytes keeps its debug information, compressed too",
  async (folder) => {
    for (const compressDebug of [false, true]) {
      const bytes = Deno.readFileSync(await build(folder, { compressDebug }));
      using registry = new ModuleRegistry();
      const module = registry.loadBytes("lines", bytes);
      using lease = module.addressOf("outer")!;
      bytes.fill(0);
      const found = registry.symbolize(lease.address);
      assertEquals([found?.module, found?.line], ["lines", lineOf("int outer", C_SOURCE)]);
    }
  },
);

Deno.test({
  name: `damaged debug information counts as none, also for debuggers${
    canRun ? "" : " (SKIPPED: code for Linux x86-64)"
  }`,
  ignore: !canRun,
  fn: damagedCountsAsNone,
});

function damagedCountsAsNone(): void {
  const { bytes } = linkObjects([{ name: "sample.o", bytes: typesFixture("sample.o") }]);
  const { sections } = parseSmf(bytes);
  for (const name of [".debug_places", ".debug_info", ".debug_abbrev", ".debug_line"]) {
    const damaged = bytes.slice();
    const { offset, size } = sections.find((section) => section.name === name)!;
    damaged.fill(0xee, offset, offset + size);
    using registry = new ModuleRegistry({ debug: true, libraries: ["libm.so.6"] });
    const { codeMemory: { address } } = registry.loadBytes("sample", damaged);
    const found = registry.symbolize(address)!;
    assertEquals([found.module, found.function !== undefined], ["sample", true], name);
  }
}

Deno.test("without debug information functions and distances are known", () => {
  using registry = new ModuleRegistry();
  const { codeMemory: { address } } = registry.loadBytes(
    "m",
    version({ functions: { first: 1, second: 2 } }),
  );
  const found = registry.symbolize(address)!;
  assertEquals([found.module, found.version, found.offset, found.file, found.line], [
    "m",
    1,
    0,
    undefined,
    undefined,
  ]);
  assert(found.function === "first" || found.function === "second");
  assertEquals(registry.symbolize(address + 1n)?.offset, 1);
});

Deno.test("an address outside of all modules, and of a module that has ended, leads nowhere", () => {
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("m", version({ functions: { answer: 1 } }));
  const { codeMemory: { address } } = module;
  assertEquals(registry.symbolize(0n), undefined);
  assertEquals(registry.symbolize(2n ** 64n), undefined);
  assertEquals(registry.symbolize(-1n), undefined);
  assertEquals(registry.symbolize(address)?.module, "m");
  module.close();
  assertEquals(registry.symbolize(address), undefined);
  assertThrows(() => registry.symbolize(5 as unknown as bigint), TypeError, "not a bigint");
});

testWithCompilers(
  ["gcc", "script"],
  "nobody is asked whether debug information may be read",
  async (folder) => {
    await build(folder, { debug: "lines.debug" });
    const package_ = new URL("../../mod.ts", import.meta.url);
    Deno.writeTextFileSync(
      `${folder}/ask.ts`,
      `import { ModuleRegistry } from ${JSON.stringify(package_.href)};
using registry = new ModuleRegistry();
const module = registry.load(${JSON.stringify(`${folder}/lines.smf`)});
using lease = module.addressOf("outer")!;
const found = registry.symbolize(lease.address)!;
console.log("found", found.function, found.line);
`,
    );
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const command = `${Deno.execPath()} run --no-check --unstable-raw-imports --no-lock --config ${config} ` +
      `--allow-ffi --allow-read=${folder}/lines.smf ${folder}/ask.ts`;
    // A terminal: without one, Deno asks nobody.
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(30_000),
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(text.includes("requests read access"), false, text);
    assertMatch(text, /found outer undefined/);
  },
);
