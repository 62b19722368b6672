/**
 * From a file to code that can run, on one page: read, examine, resolve, place,
 * fill, relocate, protect, start.
 *
 * A `DisposableStack` owns what the phases acquire until loading succeeds. If a
 * phase fails, the stack gives everything back, newest first. The phase's error
 * is what the caller gets: memory that the system does not take back at once is
 * offered to it again later ({@linkcode abandon}).
 */

import { raise } from "../errors/load_error.ts";
import type { Region } from "../image/arrange.ts";
import { type ImagePlan, planImage } from "../image/plan.ts";
import { relocate } from "../image/relocation/relocate.ts";
import { type RelocationNeeds, scanRelocations } from "../image/relocation/scan.ts";
import { planThreadLocals } from "../image/relocation/thread_locals.ts";
import { detach, type MemoryAllocator, Protection } from "../os/memory/allocator.ts";
import { abandon } from "../os/memory/deferred_release.ts";
import { SymbolType } from "../smf/enums.ts";
import { readEntries } from "../smf/entries.ts";
import { readHomes } from "../smf/homes.ts";
import { readHostLibraries } from "../smf/host_libraries.ts";
import { contentLength } from "../smf/section.ts";
import type { KnownChecks } from "./checks/cache.ts";
import { keepChecks, readTables } from "./checks/known_file.ts";
import type { FileReading } from "./file/reading.ts";
import { type ByteChecks, checkedSteps } from "./file/source.ts";
import type { ExaminedFile, LoadedImage, PlacedImage } from "./image.ts";
import type { ImportAllowlist, LibraryAllowlist } from "./imports/allowlist.ts";
import { GotSeal, ImportedData } from "./imports/imported_data.ts";
import {
  type ImportSource,
  type ModuleIdentity,
  type ResolvedImports,
  resolveImports,
} from "./imports/resolve.ts";
import { fill, place } from "./placing.ts";
import { replaceImports, reportCrashes, type ReportedAs } from "./runtime/crash_report.ts";
import { holdStarts, startersAmong } from "./runtime/held_threads.ts";
import { checkHost, checkThreadLocals } from "./runtime/host.ts";
import { checkIfuncs, resolveIfuncs } from "./runtime/ifunc.ts";
import { stubsForMissing } from "./runtime/missing_calls.ts";
import { registerExits } from "./runtime/names.ts";
import { registerFrames, registerOwnFrames } from "./runtime/unwind_registration.ts";
import { checkArrays, hasInitialisers, threadCallbacks } from "./start.ts";
import { defineThreadLocals, fillThreadLocals } from "./thread_locals.ts";
import { StepTimer, type Trace } from "./trace.ts";

export { blocksLibrary, keptHome, type LoadedImage, type PlacedImage, symbolAddress } from "./image.ts";

/** Everything that loading needs beside the file. */
export interface LoadContext extends ByteChecks {
  readonly allocator: MemoryAllocator;
  /** Limits the names that may be imported; absent: all may. */
  readonly allowlist?: ImportAllowlist | undefined;
  /** Limits the host libraries that modules may need; absent: all may be. */
  readonly libraryAllowlist?: LibraryAllowlist | undefined;
  /** Asked in order for undefined names. */
  readonly sources: readonly ImportSource[];
  /** Makes the source that is asked last, from the host libraries that the file names; absent: there is none. */
  readonly librariesOf?: (needed: readonly string[]) => ImportSource | undefined;
  /** Names the module in messages: `module '/a/b.smf'`. */
  readonly description: string;
  /** Hears of the steps. */
  readonly trace?: Trace;
  /** Whether the image keeps a copy of its initial data, with which a reload compares. */
  readonly keepsInitialData?: boolean;
  /** Whether the image keeps its debug information. */
  readonly keepsDebug?: boolean;
  /** An address that the image should lie near, before those of its imports. */
  readonly near?: bigint | undefined;
  /** The names in reports of crashes; absent: there are none. */
  readonly reportAs?: ReportedAs | undefined;
  /** The findings of earlier checks of the file; not used where `integrity` or `trust` asks for checks. */
  readonly checks?: KnownChecks | undefined;
}

/** Loads one module whose providers are all loaded already. */
export function loadSteps(context: LoadContext): FileReading<LoadedImage> {
  return checkedSteps(context, (actual) => uncheckedSteps(context, actual));
}

/** @param integrity The integrity string of the bytes, if it has been checked. */
function uncheckedSteps(context: LoadContext, integrity?: string): FileReading<LoadedImage> {
  return function* (size, stamp) {
    // Keeps the system's library open across the phases.
    using _system = context.allocator.retain?.();
    using undo = new DisposableStack();

    // Read the tables, and examine them. Nothing has been acquired so far.
    const examined = yield* readAndExamine(context, size, { integrity, stamp });
    const identity = identityOf(context);

    // Resolve. Names are resolved before memory is reserved: a module that may not load never gets any.
    const { file, needs, libraries } = examined;
    const last = context.librariesOf?.(libraries);
    const sources = last === undefined ? context.sources : [...context.sources, last];
    const imports = undo.adopt(resolveModule({ file, needs, identity }, sources), abandon);
    // Beyond this point the module holds its providers, and a resolver of the user's may have run.

    // Place, and fill.
    const image = undo.adopt(place(context, examined, identity, addressNear(examined, imports)), abandon);
    yield* fill(image, context);
    // Beyond this point the file is not read again.
    keepChecks(context, examined);

    // Relocate, protect, start.
    relocateImage(image, imports, context);
    linkImage(image, context);
    // Beyond this point code of the module may have run, whose effects nothing undoes.
    sealImage(image);
    undo.move();
    return image;
  };
}

/**
 * Loads one of several modules that may import from each other, up to and
 * including the phase *fill*. Its image has an address then, so that the others
 * can import from it; {@linkcode relocateImage} and {@linkcode linkImage} do the rest.
 */
export function placeSteps(context: LoadContext): FileReading<PlacedImage> {
  return checkedSteps(context, (integrity) => uncheckedPlaceSteps(context, integrity));
}

function uncheckedPlaceSteps(context: LoadContext, integrity?: string): FileReading<PlacedImage> {
  return function* (size, stamp) {
    using _system = context.allocator.retain?.();
    using undo = new DisposableStack();
    const examined = yield* readAndExamine(context, size, { integrity, stamp });
    const image = undo.adopt(place(context, examined, identityOf(context)), abandon);
    yield* fill(image, context);
    keepChecks(context, examined);
    undo.move();
    return image;
  };
}

/**
 * Relocates a filled image: applies the relocations, and fills GOT and PLT. Others
 * can import its thread-local variables then: modules that are loaded together are
 * all relocated before the first is linked ({@linkcode linkImage}).
 *
 * Takes over `imports`. If it fails, the image can only be disposed of, and none
 * of its code has run.
 */
export function relocateImage(
  image: PlacedImage,
  imports: ResolvedImports,
  { reportAs }: Pick<LoadContext, "reportAs">,
): void {
  const { allocator, memory, file, plan, needs } = image;
  image.resolved = imports;
  image.relocating = new StepTimer(image.identity.trace);
  // Providers may have been reloaded while the file was read.
  imports.settle();
  image.exits = registerExits(imports.records, image.memory);
  image.missingCalls = stubsForMissing(image, imports);
  // Only a version that keeps variables waits with its threads, and only those of its initialisers.
  const starters = image.homes.length > 0 && hasInitialisers(plan) ? startersAmong(imports) : [];
  if (reportAs !== undefined) replaceImports(imports);
  image.heldThreads = holdStarts(imports, starters);

  const bytes = image.bytes ??= allocator.view(memory);
  relocate(bytes, file, plan, needs, { base: memory.address, imports: imports.addresses });
  defineThreadLocals(image, bytes);
}

/**
 * Links a relocated image: leads its code to thread-local variables, protects the
 * code, and checks everything that can be known before code of the module runs: its
 * ifuncs, its unwind tables, which are registered, and its initialisers and finalisers.
 * {@linkcode sealImage} does the rest; modules that are loaded together are all
 * linked before the first is sealed. If it fails, the image can only be disposed
 * of, and none of its code has run.
 */
export function linkImage(
  image: PlacedImage,
  { keepsInitialData = false, reportAs }: Pick<LoadContext, "keepsInitialData" | "reportAs">,
): void {
  const { plan } = image;
  const bytes = image.bytes!, imports = image.resolved!;
  fillThreadLocals(image, bytes, imports);
  if (keepsInitialData) image.initialData = bytes.slice(plan.data.offset, filledEnd(plan));
  detach(bytes);
  image.bytes = undefined;
  // Beyond this point the bytes belong to this address, and reloads of providers redirect imported variables.
  passReferences(image, imports);

  // Protect the code.
  protect(image, plan.code, Protection.READ_EXECUTE);
  // Beyond this point the code never changes.

  // Check what the process will run, and what its unwinder will read.
  checkIfuncs(image);
  checkArrays(image);
  image.threadCallbacks = threadCallbacks(image);
  image.frames = registerFrames(image);
  image.relocating?.done((milliseconds) => ({
    kind: "relocate",
    relocations: image.file.relocations.length,
    milliseconds,
  }));
  if (reportAs !== undefined) image.crashReports = reportCrashes(image, reportAs);
}

/**
 * Runs a linked image's ifunc resolvers, protects constants and GOT, and tells the
 * unwinder that the module may have of its own about the unwind tables.
 * Afterwards its code and constants never change, and no page is writable and
 * executable. If it fails, the image can only be disposed of.
 *
 * Safety: resolvers are native code of the module. Whether one of them returns
 * null is known only after those before it have run, and nothing undoes what they did.
 */
export function sealImage(image: PlacedImage): void {
  const { plan } = image;
  // Start what has to run before constants are protected: start.ts runs the initialisers.
  resolveIfuncs(image);
  protect(image, plan.rodata, Protection.READ_ONLY);
  if (plan.gotRegion !== plan.rodata) protect(image, plan.gotRegion, Protection.READ_ONLY);
  // Only now, because the module's own unwinder is code of the module.
  if (image.frames === undefined) return;
  const ownFrames = registerOwnFrames(image);
  if (ownFrames === undefined) return;
  const frames = new DisposableStack();
  frames.use(image.frames);
  frames.use(ownFrames);
  image.frames = frames;
}

/** Resolve: finds the imports of a module, each in the way that its relocations use it. */
export function resolveModule(
  { file, needs, identity }: Pick<PlacedImage, "file" | "needs" | "identity">,
  sources: readonly ImportSource[],
): ResolvedImports {
  const threadLocals = new Set(needs.threadLocal.map((index) => file.relocations.symbol(index)));
  return resolveImports(file, needs.imports, sources, identity, threadLocals);
}

function identityOf({ description, trace }: LoadContext): ModuleIdentity {
  return { description, ...trace && { trace } };
}

/** Read and examine. */
function* readAndExamine(
  context: LoadContext,
  size: number,
  given: Pick<ExaminedFile, "integrity" | "stamp">,
): ReturnType<FileReading<ExaminedFile>> {
  const steps = new StepTimer(context.trace);
  const { file, known } = yield* readTables(context, size, given.stamp);
  const libraries = yield* readHostLibraries(file.sections);
  const homes = yield* readHomes(file);
  const examined = examine(context, {
    ...given,
    file,
    libraries,
    homes,
    entries: yield* readEntries(file),
  }, known);
  steps.done((milliseconds) => ({ kind: "read", size, known: known !== undefined, milliseconds }));
  return examined;
}

/** Examine: checks everything that needs no memory, and plans the range. */
function examine(
  { allocator, allowlist, libraryAllowlist }: LoadContext,
  read: Pick<ExaminedFile, "file" | "libraries" | "homes" | "entries" | "integrity" | "stamp">,
  known?: RelocationNeeds,
): ExaminedFile {
  const { file } = read;
  checkHost(file.header);
  const needs = known ?? scanRelocations(file);
  const slots = { got: needs.gotCount, plt: needs.pltCount };
  const plan = planImage(file, allocator.pageSize, slots, raise, known !== undefined);
  const threadLocals = planThreadLocals(file, plan, needs);
  if (threadLocals !== undefined) checkThreadLocals();
  allowlist?.check(file, needs.imports);
  libraryAllowlist?.check(read.libraries);
  return { ...read, needs, plan, threadLocals };
}

/**
 * The address that the image should lie near: of an imported variable, since
 * code may reach that directly, while calls can go through a stub.
 */
function addressNear({ file, needs }: ExaminedFile, { addresses }: ResolvedImports): bigint | undefined {
  const data = needs.imports.findIndex((symbol, position) =>
    file.symbols.type(symbol) !== SymbolType.Function && addresses[position] !== 0n
  );
  return addresses[data] ?? addresses.find((address) => address !== 0n);
}

/** The end of the bytes of the data group that a file fills; only zeros follow. */
function filledEnd({ data: { offset: start, length }, sections }: ImagePlan): number {
  let end = start;
  for (const { section, offset } of sections) {
    if (offset >= start && offset < start + length) end = Math.max(end, offset + contentLength(section));
  }
  return end;
}

/** Tells providers that can be replaced where the image holds the addresses of their variables. */
function passReferences(image: PlacedImage, imports: ResolvedImports): void {
  const { allocator, memory, file, plan, needs } = image;
  const seal = new GotSeal(allocator, memory, plan.gotRegion);
  for (const [position, onLinked] of imports.onLinked) {
    onLinked(new ImportedData({ allocator, memory, file, plan, needs, seal }, needs.imports[position]));
  }
}

/** Protect: sets the final protection of a region. */
function protect(
  { allocator, memory }: PlacedImage,
  { offset, length }: Region,
  protection: Protection,
): void {
  if (length > 0) allocator.protect(memory, protection, offset, length);
}
