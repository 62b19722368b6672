/**
 * Links objects and archives to an SMF module: one call for each pass, in order.
 */
import { checkOptions } from "../errors/options.ts";
import { cpuLevel } from "../smf/cpu.ts";
import type { FileParts } from "../smf/file_parts.ts";
import { applyRelocations } from "./apply.ts";
import { archOf } from "./arch/mod.ts";
import { neededLevel } from "./elf/isa.ts";
import { Entries } from "./entries.ts";
import { emitModule } from "./emit.ts";
import { chooseExports, isCode, type LinkRequest, nothingToLink } from "./exports.ts";
import { machineOf, readDefinitions, withConstants } from "./defsym.ts";
import { markClassTables, SPARE_VIRTUALS } from "./class_tables.ts";
import { checkDefined, chooseOptional, importsOf } from "./undefined.ts";
import { Marker } from "./gc.ts";
import { NameMatcher } from "../smf/glob.ts";
import { hashInputs } from "./input_hash.ts";
import { HandlerTables } from "./handler_tables.ts";
import { Homes } from "./homes.ts";
import { markImageRelative } from "./image_relative.ts";
import { layOut } from "./layout.ts";
import { type LinkCache, memoryOf } from "./link_cache.ts";
import { Locator } from "./locate.ts";
import type { LinkMap } from "./map.ts";
import { buildMap } from "./map_builder.ts";
import { thinInputs } from "./macho/fat.ts";
import { LINK_OPTIONS, type LinkOptions } from "./options.ts";
import { Problems } from "./problems.ts";
import type { LinkProgress } from "./progress.ts";
import { reachedSections } from "./reached_sections.ts";
import { type LinkInput, type ReadInput, Resolution } from "./resolve.ts";
import { checkRunnable } from "./runnable.ts";
import { withStartFunctions } from "./start_functions.ts";
import { Thunks } from "./thunks.ts";
import { linkDebug, type LinkedDebug } from "./debug_output.ts";
import { typesOf } from "./types.ts";
import { needsVeneers } from "./veneers.ts";
import { explainLive, LiveReasons } from "./why_live.ts";

export type { LinkInput, LinkOptions, ReadInput };

/** The functions of an unwinder (libgcc_eh.a) that take unwind tables. They keep their names, for the loader. */
const UNWINDER_NAMES = ["__register_frame", "__deregister_frame"];

/** The result of {@linkcode linkObjects}. */
export interface LinkedModule {
  /** The SMF file. */
  readonly bytes: Uint8Array;
  /** The addresses of all sections, the members pulled in, the sections dropped, exports and imports. */
  readonly map: LinkMap;
  /** The debug information as an ELF file, if the option `debug` names one and the objects have some. */
  readonly debugFile?: Uint8Array;
}

/**
 * Links relocatable objects and static libraries to a module.
 *
 * The rules are those of the ELF gABI and of GNU's linkers, for COFF of the PE
 * format, for Mach-O of Apple's linker: archive members are pulled in only when
 * they define an undefined name, wherever the archive stands;
 * strong definitions beat tentative and weak ones; of equal COMDAT groups the
 * first is kept; hidden symbols stay inside; unreachable sections are dropped;
 * undefined names become imports. The same inputs and options make the same bytes.
 *
 * The module's source hash is XXH32 of all inputs in order, each preceded by its
 * length in bytes as 64 bits little-endian: with the seed 0 in the upper half, with
 * the seed 1 in the lower.
 *
 * @param inputs ELF64 objects for x86-64 or AArch64, COFF objects for x86-64, Mach-O objects for
 * either, and archives of them, in link order.
 * @param options The names to export and to keep, and the kind of module.
 * @param cache Makes the next link of mostly the same inputs fast; it changes nothing of the result.
 * @returns the module's bytes and the map of the link.
 * @throws {LoadError} that names object, section and symbol. If there are several
 * problems, `cause` is an `AggregateError` of all.
 * @throws {TypeError} for a `cpu` that the processor of the objects does not have, and for a `defsym` that
 * is something else; for a `cache` that is not a {@linkcode LinkCache}.
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
export function linkObjects(
  inputs: readonly LinkInput[],
  options: LinkOptions = {},
  cache?: LinkCache,
): LinkedModule {
  const { file, map, debugFile } = linkReporting(inputs, options, undefined, cache);
  return { bytes: file.join(), map: { ...map }, ...(debugFile !== undefined && { debugFile }) };
}

/** A linked module of which nobody needs all bytes as one array. */
export interface LinkedFile extends Pick<LinkedModule, "debugFile"> {
  /** The SMF file. */
  readonly file: FileParts;
  /** The map, which makes its lists of sections when they are asked for; a copy of it has them. */
  readonly map: LinkMap;
}

/** Like {@linkcode linkObjects}; tells how far it is. */
export function linkReporting(
  inputs: readonly ReadInput[],
  options: LinkOptions,
  progress?: LinkProgress,
  cache?: LinkCache,
): LinkedFile {
  checkOptions("link module", options, LINK_OPTIONS);
  const problems = new Problems();
  const request: LinkRequest = {
    exports: options.exports === undefined ? undefined : new NameMatcher(options.exports),
    entry: options.entry,
    optionalEntry: options.optionalEntry === true,
    exportList: options.exportList === undefined ? undefined : new NameMatcher(options.exportList),
    exportAlso: options.exportAlso === undefined ? undefined : new NameMatcher(options.exportAlso),
    hide: options.hide === undefined ? undefined : new NameMatcher(options.hide),
    keep: new NameMatcher(options.keep ?? []),
  };
  const isHot = options.hot === true, isReloadable = isHot || options.reloadable === true;
  const wanted = [...(options.undefined ?? []), ...(options.requireDefined ?? [])];
  const { constants, aliases } = readDefinitions(options.defsym ?? {});

  progress?.("resolving names", 0, 1);
  // Of files for several processors, the part for that of the link.
  const thin = thinInputs(inputs, machineOf);
  // Symbol resolution: the objects of the link, and the definition of each name.
  const memory = cache === undefined ? undefined : memoryOf(cache);
  memory?.beginLink();
  const resolution = new Resolution(problems, memory?.read);
  resolution.platform = options.platform;
  resolution.wrap(options.wrap ?? []);
  resolution.alias(aliases);
  resolution.globals.allowsDuplicates = options.allowMultipleDefinition === true;
  const all = withStartFunctions(withConstants(thin, constants), options);
  resolution.resolve(all, request.exports, [
    ...(options.entry === undefined ? [] : [options.entry]),
    ...request.keep.exact,
    ...wanted,
  ], progress);
  if (resolution.objects.length === 0) throw nothingToLink(thin, request);
  const { requests } = resolution;
  const platform = requests.platformFor(options.platform);
  const arch = archOf(resolution.objects[0].elf.machine);
  const cpu = resolution.objects.reduce(
    (level, { elf }) => Math.max(level, neededLevel(elf)),
    options.cpu === undefined ? 0 : cpuLevel(arch.smf, options.cpu),
  );
  problems.throwIfAny();

  progress?.("finding what is reachable", 0, 1);
  if (isReloadable) markImageRelative(resolution, arch);
  const mixed = isHot ? markClassTables(resolution.objects, options.spareVirtuals ?? SPARE_VIRTUALS) : [];

  // Garbage collection: everything that is reachable from the roots.
  const reasons = options.whyLive === undefined ? undefined : new LiveReasons();
  const marker = new Marker(resolution, arch, options.unwind, isReloadable, reasons);
  const { exported, entry } = chooseExports(resolution, request, marker, problems);
  // A module with an unwinder of its own: the loader registers the unwind tables there.
  const { globals } = resolution;
  const unwinder = UNWINDER_NAMES.map((name) => globals.names.find(name))
    .filter((id) => id !== -1 && globals.isDefined(id));
  if (marker.unwind) { for (const id of unwinder) marker.markGlobal(id, undefined); }
  for (const name of [...wanted, ...requests.required]) {
    const id = globals.names.find(name);
    if (globals.isDefined(id)) marker.markGlobal(id, undefined);
  }
  checkDefined(resolution, options.requireDefined ?? [], problems);
  marker.run();
  const imports = importsOf(resolution, marker, problems);
  chooseOptional(resolution, imports, { ...options, platform }, problems);
  const reached = reachedSections(resolution);
  // The loader's own stubs may be out of reach.
  const isLarge = needsVeneers(reached.sections, arch);
  for (const [id, { calls }] of imports) {
    if (isLarge && calls > 0) marker.plt.require(id);
    marker.plt.add(id, calls, marker.got);
  }
  const entries = isHot
    ? new Entries({
      resolution,
      arch,
      sections: reached.sections,
      exported,
      got: marker.got,
      plt: marker.plt,
    })
    : undefined;
  const thunks = new Thunks(), handlers = new HandlerTables();
  if (marker.hasPlainAddresses) {
    thunks.add(reached.sections, arch, {
      isImport: (id) => imports.has(id),
      isCanonical: (id) => exported.has(id) && isCode(resolution, id) || entries?.ofName(id) !== undefined,
    });
    if (marker.unwind) handlers.add(marker.frames, arch, marker.got, (id) => imports.has(id));
  }
  problems.throwIfAny();

  progress?.("laying out", 0, 1);
  // Layout: the address of everything.
  const commons = new Map([...marker.commons].map((id) => [id, resolution.globals.commons.get(id)!]));
  const layout = layOut({
    ...reached,
    arch,
    frames: marker.unwind ? marker.frames : [],
    commons,
    constants: marker.constants,
    tls: marker.tls,
    ifuncs: marker.ifuncs,
    got: marker.got,
    plt: marker.plt,
    thunks,
    handlers,
    linkerSymbols: marker.linkerSymbols.values(),
    inputSize: inputs.reduce((sum, { bytes }) => sum + bytes.length, 0),
  });
  if (layout.outputs.length === 0) throw nothingToLink(thin, request);
  const nameOf = (id: number): string => globals.names.text(id);
  const homes = isReloadable ? new Homes(layout, commons, nameOf) : undefined;
  const locator = new Locator(resolution, layout, marker, homes);
  checkRunnable({ resolution, layout, locator, entry, problems });

  // Addresses are final from here on: relocations, then the file.
  const applied = applyRelocations({
    arch,
    layout,
    locator,
    homes: homes?.list ?? [],
    entries,
    isExported: (id) => exported.has(id),
    nameOf,
    problems,
    progress,
  });
  progress?.("reading types", 0, 1);
  const types = typesOf(
    { resolution, locator, exported, entries, isReloadable },
    options.types ?? "keep",
    memory?.types,
  );
  progress?.("linking debug information", 0, 1);
  const debug = debugOf(resolution, locator, marker, options, progress);
  progress?.("writing the module", 0, 1);
  const { file, exports, debugFile } = emitModule({
    types: types.bytes,
    sources: memory?.sources,
    debug: debug.sections.length === 0 ? undefined : debug,
    companion: options.debug === "keep" ? undefined : options.debug,
    compressDebug: options.compressDebug === true,
    arch,
    resolution,
    layout,
    locator,
    applied,
    exported,
    imports,
    entry,
    homes,
    entries,
    strip: options.strip === true,
    keptNames: new Set(UNWINDER_NAMES),
    needed: [...(options.needed ?? []), ...requests.hostLibraries],
    platform,
    cpu,
    fileLayout: options.layout,
    sourceHash: hashInputs(inputs),
  });
  const live = reasons === undefined
    ? []
    : explainLive(new NameMatcher(options.whyLive!), resolution, reasons, { exported, entry });
  const withReferences = options.cref === true;
  return {
    file,
    map: buildMap({
      resolution,
      layout,
      imports,
      exports,
      applied,
      types: types.facts,
      debug,
      withReferences,
      homes,
      entries,
      mixed,
      live,
    }),
    ...(debugFile !== undefined && { debugFile }),
  };
}

const NO_DEBUG: LinkedDebug = { sections: [], places: [], unreadable: [] };

function debugOf(
  resolution: Resolution,
  locator: Locator,
  { frames }: Marker,
  options: LinkOptions,
  progress: LinkProgress | undefined,
): LinkedDebug {
  const { debug = options.strip === true ? "off" : "keep" } = options;
  return debug === "off" ? NO_DEBUG : linkDebug(resolution, locator, frames, progress);
}
