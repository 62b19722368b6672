/**
 * Links ELF objects and archives to an SMF module. This file is the table of
 * contents: one call a pass.
 */
import { LoadError } from "../errors.ts";
import { builtinModule } from "../smf/builtin.ts";
import { applyRelocations } from "./apply.ts";
import { archOf } from "./arch/mod.ts";
import { emitModule } from "./emit.ts";
import { chooseExports, type LinkRequest } from "./exports.ts";
import { Marker } from "./gc.ts";
import { NameMatcher } from "../smf/glob.ts";
import { importsOf, reachedSections } from "./check.ts";
import { layOut } from "./layout.ts";
import { Locator } from "./locate.ts";
import type { LinkMap } from "./map.ts";
import { buildMap } from "./map_builder.ts";
import { Problems } from "./problems.ts";
import { type LinkInput, Resolution } from "./resolve.ts";

export type { LinkInput };

/** How {@linkcode linkObjects} links. */
export interface LinkOptions {
  /**
   * What the module exports, as exact names and globs (`*` any characters, `?`
   * one). An exact name must exist. What is named here is pulled out of archives.
   * Default: every global of default visibility that an object given directly,
   * rather than in an archive, defines.
   */
  readonly exports?: readonly string[];
  /** The function where execution starts; makes the module executable. */
  readonly entry?: string;
  /** Symbols and sections, as exact names and globs, that stay even if nothing reaches them. */
  readonly keep?: readonly string[];
  /** Marks the module as one that may be replaced while it runs. */
  readonly reloadable?: boolean;
  /**
   * Whether call frame information stays: without it, exceptions and backtraces
   * end where they come to the module. Default: if something in it handles or
   * raises exceptions, or is C++ or Rust by its name, so that they may pass
   * through.
   */
  readonly unwind?: boolean;
  /** Leaves out the names of what is not exported. */
  readonly strip?: boolean;
  /** The operating system, a `Platform`. Default: Linux. */
  readonly platform?: number;
  /** The layout of the file. Default: H96. */
  readonly layout?: "H96" | "H72";
}

/** What {@linkcode linkObjects} makes. */
export interface LinkedModule {
  /** The SMF file. */
  readonly bytes: Uint8Array;
  /** What went where, what was pulled in and dropped, what is exported and imported. */
  readonly map: LinkMap;
}

/**
 * Links relocatable objects and static libraries to a module.
 *
 * The rules are those of the ELF gABI and of GNU's linkers: members of archives
 * are pulled in only when they define something that is undefined, wherever the
 * archive stands; strong definitions beat tentative and weak ones; of equal
 * COMDAT groups the first is kept; what is hidden stays inside; what nothing
 * reaches is dropped; undefined names become imports. The same inputs and
 * options make the same bytes.
 *
 * The module's source hash is the first 64 bits, big-endian, of SHA-256 over all
 * inputs in order, each preceded by its length in bytes as 64 bits little-endian.
 *
 * @param inputs ELF64 objects and `ar` archives for x86-64 or AArch64, in link order.
 * @param options What to export and keep.
 * @returns the module's bytes and the map of the link.
 * @throws {LoadError} naming object, section and symbol. When there are several,
 * `cause` is an `AggregateError` of all.
 *
 * @example An object to a module
 * ```ts
 * import { linkObjects, parseSmf } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * const object = Deno.readFileSync("fixtures/c/arith.o"); // gcc -O2 -fPIC -c arith.c
 * const { bytes, map } = linkObjects([{ name: "arith.o", bytes: object }], { exports: ["add*"] });
 *
 * assertEquals(map.exports.map(({ name }) => name), ["add_i32", "add_i64", "add_f64"]);
 * assertEquals(parseSmf(bytes).symbols.find("add_i32")?.name, "add_i32");
 * ```
 */
export function linkObjects(inputs: readonly LinkInput[], options: LinkOptions = {}): LinkedModule {
  const problems = new Problems();
  const request: LinkRequest = {
    exports: options.exports === undefined ? undefined : new NameMatcher(options.exports),
    entry: options.entry,
    keep: new NameMatcher(options.keep ?? []),
  };

  // Which objects take part, and which definition each name has.
  const resolution = new Resolution(problems);
  resolution.resolve(inputs, request.exports, [
    ...(options.entry === undefined ? [] : [options.entry]),
    ...request.keep.exact,
  ]);
  if (resolution.objects.length === 0) throw nothingToLink(inputs, request);
  const arch = archOf(resolution.objects[0].elf.machine);
  problems.throwIfAny();

  // What is reached from the roots.
  const marker = new Marker(resolution, arch, options.unwind);
  const { exported, entry } = chooseExports(resolution, request, marker, problems);
  marker.run();
  const imports = importsOf(resolution, marker, problems);
  const reached = reachedSections(resolution);
  problems.throwIfAny();

  // Where it goes.
  const layout = layOut({
    ...reached,
    arch,
    frames: marker.unwind ? marker.frames : [],
    commons: new Map([...marker.commons].map((id) => [id, resolution.globals.commons.get(id)!])),
    constants: marker.constants,
    tls: marker.tls,
    chosen: marker.chosen,
    bounds: marker.bounds.values(),
    inputSize: inputs.reduce((sum, { bytes }) => sum + bytes.length, 0),
  });
  if (layout.outputs.length === 0) throw nothingToLink(inputs, request);
  const locator = new Locator(resolution, layout, marker);

  // Beyond this point nothing moves.
  const applied = applyRelocations({
    arch,
    layout,
    locator,
    isExported: (id) => exported.has(id),
    nameOf: (id) => resolution.globals.names.text(id),
    problems,
  });
  const { bytes, exports } = emitModule({
    arch,
    resolution,
    layout,
    locator,
    applied,
    exported,
    imports,
    entry,
    reloadable: options.reloadable === true,
    strip: options.strip === true,
    platform: options.platform,
    fileLayout: options.layout,
    sourceHash: hashInputs(inputs),
  });
  return { bytes, map: buildMap(resolution, layout, imports, exports, applied) };
}

function nothingToLink(inputs: readonly LinkInput[], { exports }: LinkRequest): LoadError {
  const reason = inputs.length === 0
    ? "there are no inputs"
    : exports === undefined
    ? "no object is given directly, so say what to export from the archives"
    : "nothing is exported, kept or run at start";
  return new LoadError("UndefinedSymbol", `Cannot link: ${reason}`, { path: inputs[0]?.name });
}

/** See {@linkcode linkObjects}. */
function hashInputs(inputs: readonly LinkInput[]): bigint {
  const hash = builtinModule<Crypto>("node:crypto", ["createHash"]).createHash("sha256");
  for (const { bytes } of inputs) {
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(bytes.length), true);
    hash.update(new Uint8Array(length.buffer)).update(bytes);
  }
  const digest = hash.digest();
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0);
}

/** The part of `node:crypto` that is used. */
interface Crypto {
  createHash(algorithm: "sha256"): Hash;
}

interface Hash {
  update(bytes: Uint8Array): Hash;
  digest(): Uint8Array;
}
