/**
 * Builds the package as it is published, in `dist/`: a few bundled modules in `built/`, with declarations and source maps,
 * beside the sources that the maps name.
 *
 *     deno task build [FOLDER]
 *
 * Deno reads and checks every file of a program's graph at each start, and V8 keeps in its cache only functions
 * that are compiled eagerly: 0.15 ms for each of 400 files, and 6 ms for the functions of a first load.
 *
 * @module
 */
import { basename, dirname, fromFileUrl, join, resolve, toFileUrl } from "@std/path";
import { stop, transform } from "npm:esbuild@0.25.12";
import { copyLicences } from "./licences.ts";
import { writeDeclarations } from "./declarations.ts";
import { deno } from "./deno.ts";
import { withEagerFunctions } from "./eager.ts";
import { filesIn } from "./files.ts";
import { calledFunctions, makeTrips, textThatRuns } from "./first_trip.ts";
import { deferParts } from "./lazy_parts.ts";
import { lineMap } from "./line_map.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** The part of deno.json that the build reads. */
interface Config {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly description: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly publish: { readonly include: readonly string[] };
}

const config: Config = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
/** The modules that the package exports, as paths of their sources. */
export const entryPoints: readonly string[] = Object.values(config.exports).map((path) =>
  path.replace("./", "")
);

/** The entry point that programs and Workers import to load modules. */
const MAIN = "mod.ts";
/** The entry point for Workers that only attach. */
const ATTACH = "src/module/share/mod.ts";
/** The entry point that is a program. */
const COMMAND = "src/cli/main.ts";

/**
 * Entry points that have copies of what they share with the library. A file of what both share would cost every
 * program its reading, and nothing in it could wait.
 */
const WITH_COPIES = [ATTACH, COMMAND];

/** The path of an entry point in the published package. */
export function built(path: string): string {
  return `built/${path.replace(/^\.\//, "").replace(/\.ts$/, ".js")}`;
}

function copyInto(target: string, source: string): void {
  if (Deno.statSync(source).isDirectory) {
    for (const { name } of Deno.readDirSync(source)) copyInto(join(target, name), join(source, name));
  } else {
    Deno.mkdirSync(dirname(target), { recursive: true });
    Deno.copyFileSync(source, target);
  }
}

function scriptsIn(folder: string): string[] {
  return filesIn(folder, ".js");
}

/** The scripts that were bundled, which have maps beside them until they are finished. */
function bundlesIn(folder: string): string[] {
  return filesIn(folder, ".js.map").map((path) => path.slice(0, -".map".length));
}

/**
 * Bundles a module and what it imports; what it imports later becomes files of their own.
 *
 * Only whitespace is taken out: names stay, which stack traces show.
 *
 * @param change Changes the text of a bundle, and no number of a line.
 */
async function bundle(
  folder: string,
  path: string,
  change: (bundle: string, path: string) => string = (bundle) => bundle,
): Promise<void> {
  const options = ["--code-splitting", "--packages", "bundle", "--sourcemap", "inline"];
  deno("bundle", "--quiet", "--frozen", "--outdir", folder, ...options, path);
  for (const path of scriptsIn(folder)) {
    const { code, map } = await transform(change(Deno.readTextFileSync(path), path), {
      minifyWhitespace: true,
      sourcemap: "external",
      sourcesContent: false,
      target: "esnext",
    });
    Deno.writeTextFileSync(path, code);
    Deno.writeTextFileSync(`${path}.map`, map);
  }
}

/** The first line of an entry point, from which Deno knows its types. */
function typesComment(path: string): string {
  return `/* @ts-self-types="./${basename(path).replace(/\.[jt]s$/, ".d.ts")}" */\n`;
}

/** The names that a module of the sources exports. */
async function exportsOf(path: string): Promise<readonly string[]> {
  return Object.keys(await import(toFileUrl(join(ROOT, path)).href));
}

/**
 * Writes the library's entry points, which export from its one bundle.
 *
 * @param later The functions of the bundle that return exports which are not there at once.
 */
async function writeLibraryEntries(folder: string, later: ReadonlyMap<string, string>): Promise<void> {
  for (const path of entryPoints.filter((path) => !WITH_COPIES.includes(path))) {
    const bundle = `${"../".repeat(path.split("/").length - 1) || "./"}library.js`;
    const byMaker = Map.groupBy(await exportsOf(path), (name) => later.get(name));
    const lines = [...byMaker].map(([maker, names]) => {
      const list = `{ ${names.join(", ")} }`;
      return maker === undefined
        ? `export ${list} from "${bundle}";`
        : `import { ${maker} } from "${bundle}";\nexport const ${list} = ${maker}();`;
    });
    const target = join(folder, "..", built(path));
    Deno.mkdirSync(dirname(target), { recursive: true });
    Deno.writeTextFileSync(target, `${typesComment(path)}${lines.join("\n")}\n`);
  }
}

/** Makes the functions of a first trip eager, and puts source maps in. */
function finish(folder: string): void {
  for (const { path, inPrograms, atImport } of calledFunctions(bundlesIn(folder), folder)) {
    const code = Deno.readTextFileSync(path);
    const map = JSON.parse(Deno.readTextFileSync(`${path}.map`));
    Deno.removeSync(`${path}.map`);
    const isEntry = WITH_COPIES.some((entry) => path === join(folder, "..", built(entry)));
    const banner = isEntry ? typesComment(path) : "";
    const { text, edits } = withEagerFunctions(code, inPrograms, atImport);
    const map64 = lineMap(map, { path, banner, code, edits, folder, root: ROOT });
    Deno.writeTextFileSync(path, `${banner}${text}${map64}\n`);
  }
}

/** Builds the package in an empty folder. */
export async function build(folder: string): Promise<void> {
  for (const name of config.publish.include) copyInto(join(folder, name), join(ROOT, name));
  const scripts = join(folder, "built");
  const atOnce = await exportsOf(MAIN);
  let later: ReadonlyMap<string, string> = new Map();
  await bundle(scripts, ".ci/build/library.ts", (library, path) => {
    const ran = textThatRuns(path, path);
    const deferred = deferParts(library, (at) => ran[at] === 1, atOnce);
    later = deferred.later;
    return deferred.text;
  });
  const attached = await exportsOf(ATTACH);
  await bundle(join(scripts, dirname(ATTACH)), ATTACH, (bundle, path) => {
    const ran = textThatRuns(path, join(scripts, "library.js"));
    return deferParts(bundle, (at) => ran[at] === 1, attached).text;
  });
  await bundle(join(scripts, dirname(COMMAND)), COMMAND);
  await stop();
  await writeLibraryEntries(scripts, later);
  copyLicences(scripts, join(folder, "LICENSE-third-party"));
  writeDeclarations(ROOT, entryPoints, scripts);
  finish(scripts);
  const { name, version, license, description, exports, imports } = config;
  const published = {
    name,
    version,
    license,
    description,
    exports: Object.fromEntries(Object.entries(exports).map(([key, path]) => [key, `./${built(path)}`])),
    imports: Object.fromEntries(Object.entries(imports).filter(([key]) => key.startsWith("@std/"))),
    // Git ignores the folder, and `deno publish` would, too.
    publish: { exclude: ["!."] },
  };
  Deno.writeTextFileSync(join(folder, "deno.json"), `${JSON.stringify(published, null, 2)}\n`);
  makeTrips(scriptsIn(scripts), scripts);
}

if (import.meta.main) {
  const folder = resolve(ROOT, Deno.args[0] ?? "dist");
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await build(folder);
  const sizes = scriptsIn(join(folder, "built")).map((path) => Deno.statSync(path).size);
  const kilobytes = Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1000);
  console.log(`built ${config.name}@${config.version}: ${sizes.length} modules, ${kilobytes} kB`);
}
