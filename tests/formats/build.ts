/**
 * Makes the modules that the tests of formats run where no compiler does:
 *
 *     deno run --allow-all tests/formats/build.ts FOLDER windows x86_64
 *     deno run --allow-all tests/formats/build.ts FOLDER linux aarch64
 *
 * The folder gets what can be made, and reasons.json, which says why the rest cannot. Exits with status 1 if something
 * cannot be made although its compiler is there.
 */
import { join } from "@std/path";
import { type LinkInput, linkObjects } from "../../mod.ts";
import { buildLibrary, fetchSources, LIBRARIES } from "../support/library_sources.ts";
import { nameOf, REASONS } from "./built.ts";
import { makeModule, runtimeOf, sourcesOf } from "./cells.ts";
import { MINGW_GCC, TOOLCHAINS, whyMissing } from "./compilers.ts";
import { REAL_LIBRARIES } from "./libraries.ts";

const [folder, targetSystem, targetArch] = Deno.args;
const scratch = Deno.makeTempDirSync({ prefix: "formats-" });
const reasons: Record<string, string> = {};
let made = 0;
try {
  Deno.mkdirSync(folder, { recursive: true });
  await makeCells();
  if (targetSystem === "windows") await makeLibraries();
} finally {
  Deno.removeSync(scratch, { recursive: true });
}
Deno.writeTextFileSync(join(folder, REASONS), JSON.stringify(reasons));
for (const [name, reason] of Object.entries(reasons)) console.log(`SKIPPED ${name}: ${reason}`);
console.log(
  `modules: ${made} for ${targetSystem} ${targetArch}, ${Object.keys(reasons).length} makers skipped`,
);

/** Makes the cells of the table of sources and compilers. */
async function makeCells(): Promise<void> {
  for (const toolchain of TOOLCHAINS) {
    const { system, arch, format, name } = toolchain;
    const sources = sourcesOf(toolchain);
    if (system !== targetSystem || arch !== targetArch || sources.length === 0) continue;
    const reason = whyMissing(toolchain);
    if (reason !== undefined) {
      reasons[`${format} of ${name}`] = reason;
      continue;
    }
    for (const source of sources) {
      const name = nameOf(toolchain, source);
      const place = join(scratch, name);
      Deno.mkdirSync(place);
      write(name, await makeModule(toolchain, source, place));
    }
  }
}

/** Makes the libraries by gcc for MinGW. */
async function makeLibraries(): Promise<void> {
  const gcc = TOOLCHAINS.find(({ command }) => command[0] === MINGW_GCC)!;
  const reason = whyMissing(gcc) ?? await whyNotFetched();
  for (const { name, exports } of REAL_LIBRARIES) {
    if (reason !== undefined) {
      reasons[name] = reason;
      continue;
    }
    const library = LIBRARIES.find((library) => library.name === name)!;
    const objects = await buildLibrary(scratch, library, MINGW_GCC);
    const inputs: LinkInput[] = objects.map((path) => ({ name: path, bytes: Deno.readFileSync(path) }));
    inputs.push(...await runtimeOf(gcc, "C"));
    write(`${name}.smf`, linkObjects(inputs, { exports, debug: "off" }).bytes);
  }
}

async function whyNotFetched(): Promise<string | undefined> {
  try {
    await fetchSources(scratch);
  } catch (error) {
    return `the sources cannot be fetched: ${(error as Error).message}`;
  }
}

function write(name: string, bytes: Uint8Array): void {
  Deno.writeFileSync(join(folder, name), bytes);
  made++;
}
