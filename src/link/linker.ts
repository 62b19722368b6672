/**
 * Links ELF objects and archives to an SMF module: one call for each pass, in order.
 */
import { LoadError } from "../errors/load_error.ts";
import {
  BOOLEAN,
  checkOptions,
  NUMBER,
  oneOf,
  type OptionTable,
  RECORD,
  SET,
  STRING,
  STRINGS,
} from "../errors/options.ts";
import { builtinModule } from "../smf/builtin.ts";
import { cpuLevel } from "../smf/cpu.ts";
import { applyRelocations } from "./apply.ts";
import { archOf } from "./arch/mod.ts";
import { isArchive } from "./elf/archive.ts";
import { neededLevel } from "./elf/isa.ts";
import { emitModule } from "./emit.ts";
import { chooseExports, type LinkRequest } from "./exports.ts";
import { readDefinitions, withConstants } from "./defsym.ts";
import { chooseOptional } from "./undefined.ts";
import { importsOf, Marker, reachedSections } from "./gc.ts";
import { NameMatcher } from "../smf/glob.ts";
import { layOut } from "./layout.ts";
import { Locator } from "./locate.ts";
import type { LinkMap } from "./map.ts";
import { buildMap } from "./map_builder.ts";
import { Problems } from "./problems.ts";
import { type LinkInput, Resolution } from "./resolve.ts";
import { checkRunnable } from "./runnable.ts";
import { typesOf, type TypesOption } from "./types.ts";

export type { LinkInput };

/** How {@linkcode linkObjects} links. */
export interface LinkOptions {
  /**
   * The names that the module exports, as exact names and globs (`*` matches any
   * characters, `?` one). An exact name must exist. Archive members that define
   * one of them are pulled in. Default: every global of default visibility that
   * an input object, rather than an archive member, defines.
   */
  readonly exports?: readonly string[];
  /** The function at which execution starts. Makes the module executable. */
  readonly entry?: string;
  /** Symbols and sections that stay even if nothing reaches them, as exact names and globs. */
  readonly keep?: readonly string[];
  /**
   * Further names that the module exports if an input defines them, as exact names and globs. No archive
   * member is pulled in for them. Default: none.
   */
  readonly exportList?: readonly string[];
  /** Names to treat as undefined, so that archive members that define them are pulled in, and to keep. */
  readonly undefined?: readonly string[];
  /** Leads references to each `NAME` to `__wrap_NAME`, and references to `__real_NAME` to `NAME`. */
  readonly wrap?: readonly string[];
  /** Defines names: as a constant, as another name of the link, or as `NAME+NUMBER` or `NAME-NUMBER`. */
  readonly defsym?: Readonly<Record<string, number | string>>;
  /** Refuses names that no input defines, unless `allowUndefined` has them. Default: they become imports. */
  readonly noUndefined?: boolean;
  /** Names that `noUndefined` takes for defined, because a host library has them. Default: none. */
  readonly provided?: ReadonlySet<string>;
  /**
   * Names that may stay undefined when the module is loaded, as exact names and globs. A call of a function
   * that is missing then ends the process, with a line on standard error that names function and module; the
   * address of a variable, and of a name that is declared weak, is 0.
   */
  readonly allowUndefined?: readonly string[];
  /** Marks the module as one that may be replaced while it runs. */
  readonly reloadable?: boolean;
  /**
   * Whether the module keeps call frame information. Without it, exceptions and
   * backtraces end at the module. Default: if the module handles or raises
   * exceptions, or holds C++ or Rust code by its names, so that exceptions may
   * pass through.
   */
  readonly unwind?: boolean;
  /** Whether the map lists each global name with the objects that define it and refer to it. Default: false. */
  readonly cref?: boolean;
  /** Leaves out the names of symbols that are not exported. */
  readonly strip?: boolean;
  /**
   * Whether the module keeps the types of its exports and writable variables, from the debug information
   * (DWARF 4 and 5) of the objects. `keep`: as far as there is any that can be read; `require`: an object
   * that defines such a name without readable debug information is an error; `off`: no types.
   * Default: `keep`.
   */
  readonly types?: TypesOption;
  /**
   * The processor that the code needs: `x86-64-v2`, `x86-64-v3` or `x86-64-v4`; `armv8.1-a`, `armv8.2-a` or
   * `armv8.3-a`. A processor without it refuses the module. Default: what the objects say
   * (GNU_PROPERTY_X86_ISA_1_NEEDED, which gcc writes with `-mneeded`), and never less than that.
   */
  readonly cpu?: string;
  /** The operating system, a `Platform`. Default: Linux. */
  readonly platform?: number;
  /**
   * Shared libraries of the host, by the names that its dynamic linker knows, in
   * which the loader looks for imports. It looks in the C library by itself.
   * Default: none.
   */
  readonly needed?: readonly string[];
  /** The layout of the file. Default: H96. */
  readonly layout?: "H96" | "H72";
}

/** The functions of an unwinder (libgcc_eh.a) that take unwind tables. They keep their names, for the loader. */
const UNWINDER_NAMES = ["__register_frame", "__deregister_frame"];
const LINK_OPTIONS: OptionTable<LinkOptions> = {
  exports: STRINGS,
  entry: STRING,
  exportList: STRINGS,
  undefined: STRINGS,
  wrap: STRINGS,
  defsym: RECORD,
  noUndefined: BOOLEAN,
  provided: SET,
  allowUndefined: STRINGS,
  keep: STRINGS,
  reloadable: BOOLEAN,
  unwind: BOOLEAN,
  cref: BOOLEAN,
  strip: BOOLEAN,
  types: oneOf("keep", "require", "off"),
  cpu: STRING,
  needed: STRINGS,
  platform: NUMBER,
  layout: oneOf("H96", "H72"),
};

/** The result of {@linkcode linkObjects}. */
export interface LinkedModule {
  /** The SMF file. */
  readonly bytes: Uint8Array;
  /** The addresses of all sections, the members pulled in, the sections dropped, exports and imports. */
  readonly map: LinkMap;
}

/**
 * Links relocatable objects and static libraries to a module.
 *
 * The rules are those of the ELF gABI and of GNU's linkers: archive members are
 * pulled in only when they define an undefined name, wherever the archive stands;
 * strong definitions beat tentative and weak ones; of equal COMDAT groups the
 * first is kept; hidden symbols stay inside; unreachable sections are dropped;
 * undefined names become imports. The same inputs and options make the same bytes.
 *
 * The module's source hash is the first 64 bits, big-endian, of SHA-256 over all
 * inputs in order, each preceded by its length in bytes as 64 bits little-endian.
 *
 * @param inputs ELF64 objects and `ar` archives for x86-64 or AArch64, in link order.
 * @param options The names to export and to keep, and the kind of module.
 * @returns the module's bytes and the map of the link.
 * @throws {LoadError} that names object, section and symbol. If there are several
 * problems, `cause` is an `AggregateError` of all.
 * @throws {TypeError} for a `cpu` that the processor of the objects does not have, and for a `defsym` that
 * is something else.
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
  checkOptions("link module", options, LINK_OPTIONS);
  const problems = new Problems();
  const request: LinkRequest = {
    exports: options.exports === undefined ? undefined : new NameMatcher(options.exports),
    entry: options.entry,
    exportList: options.exportList === undefined ? undefined : new NameMatcher(options.exportList),
    keep: new NameMatcher(options.keep ?? []),
  };
  const { constants, aliases } = readDefinitions(options.defsym ?? {});

  // Symbol resolution: the objects of the link, and the definition of each name.
  const resolution = new Resolution(problems);
  resolution.wrap(options.wrap ?? []);
  resolution.alias(aliases);
  resolution.resolve(withConstants(inputs, constants), request.exports, [
    ...(options.entry === undefined ? [] : [options.entry]),
    ...request.keep.exact,
    ...(options.undefined ?? []),
  ]);
  if (resolution.objects.length === 0) throw nothingToLink(inputs, request);
  const arch = archOf(resolution.objects[0].elf.machine);
  const cpu = resolution.objects.reduce(
    (level, { elf }) => Math.max(level, neededLevel(elf)),
    options.cpu === undefined ? 0 : cpuLevel(arch.smf, options.cpu),
  );
  problems.throwIfAny();

  // Garbage collection: everything that is reachable from the roots.
  const marker = new Marker(resolution, arch, options.unwind);
  const { exported, entry } = chooseExports(resolution, request, marker, problems);
  // A module with an unwinder of its own: the loader registers the unwind tables there.
  const { globals } = resolution;
  const unwinder = UNWINDER_NAMES.map((name) => globals.names.find(name))
    .filter((id) => id !== -1 && globals.isDefined(id));
  if (marker.unwind) { for (const id of unwinder) marker.markGlobal(id, undefined); }
  for (const name of options.undefined ?? []) {
    const id = resolution.globals.names.find(name);
    if (resolution.globals.isDefined(id)) marker.markGlobal(id, undefined);
  }
  marker.run();
  const imports = importsOf(resolution, marker, problems);
  chooseOptional(resolution, imports, options, problems);
  for (const [id, { calls }] of imports) marker.plt.add(id, calls, marker.got);
  const reached = reachedSections(resolution);
  problems.throwIfAny();

  // Layout: the address of everything.
  const layout = layOut({
    ...reached,
    arch,
    frames: marker.unwind ? marker.frames : [],
    commons: new Map([...marker.commons].map((id) => [id, resolution.globals.commons.get(id)!])),
    constants: marker.constants,
    tls: marker.tls,
    ifuncs: marker.ifuncs,
    got: marker.got,
    plt: marker.plt,
    linkerSymbols: marker.linkerSymbols.values(),
    inputSize: inputs.reduce((sum, { bytes }) => sum + bytes.length, 0),
  });
  if (layout.outputs.length === 0) throw nothingToLink(inputs, request);
  const locator = new Locator(resolution, layout, marker);
  checkRunnable({ resolution, layout, locator, entry, problems });

  // Addresses are final from here on: relocations, then the file.
  const applied = applyRelocations({
    arch,
    layout,
    locator,
    isExported: (id) => exported.has(id),
    nameOf: (id) => resolution.globals.names.text(id),
    problems,
  });
  const types = typesOf({ resolution, locator, exported }, options.types ?? "keep");
  const { bytes, exports } = emitModule({
    types: types.bytes,
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
    keptNames: new Set(UNWINDER_NAMES),
    needed: options.needed ?? [],
    platform: options.platform,
    cpu,
    fileLayout: options.layout,
    sourceHash: hashInputs(inputs),
  });
  return {
    bytes,
    map: buildMap(resolution, layout, imports, exports, applied, types.facts, options.cref === true),
  };
}

function nothingToLink(inputs: readonly LinkInput[], { exports }: LinkRequest): LoadError {
  const [problem, hint] = inputs.length === 0
    ? ["there are no inputs", "give at least one object file or static library"]
    : exports === undefined && inputs.some(({ bytes }) => !isArchive(bytes))
    ? [
      "its objects define nothing that can be exported",
      "give an object with a function or a variable of default visibility; " +
      "for a thread-local variable, which cannot be exported, a function that returns its address",
    ]
    : exports === undefined
    ? [
      "archives alone export nothing by default",
      "name the symbols to export: the option `exports`, --export NAME",
    ]
    : [
      "nothing is exported, kept or run at start",
      "export a symbol of the inputs (--export NAME), keep one, or name an entry point",
    ];
  return new LoadError("UndefinedSymbol", `Cannot link module: ${problem}`, { path: inputs[0]?.name, hint });
}

/** Hashes the inputs as {@linkcode linkObjects} documents. */
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

/** The part of `node:crypto` that the linker uses. */
interface Crypto {
  createHash(algorithm: "sha256"): Hash;
}

interface Hash {
  update(bytes: Uint8Array): Hash;
  digest(): Uint8Array;
}
