/**
 * From a file to code that can run: one line a step.
 *
 * Whatever fails, the steps that were taken are undone: memory is freed and
 * the modules that answered for imports are let go.
 */

import { LoadError } from "../errors.ts";
import type { FileStamp } from "./file/stamp.ts";
import { checkHost, checkThreadLocals } from "./runtime/host.ts";
import type { Region } from "../image/arrange.ts";
import { type ImagePlan, planImage } from "../image/plan.ts";
import { GotSeal, ImportedData } from "./imports/imported_data.ts";
import type { ImportAllowlist } from "./imports/allowlist.ts";
import {
  type ImportRecord,
  type ImportSource,
  type ModuleIdentity,
  type ResolvedImports,
  resolveImports,
} from "./imports/resolve.ts";
import {
  detach,
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  Protection,
} from "../os/memory/allocator.ts";
import { abandon, retryDeferred } from "../os/memory/deferred_release.ts";
import { relocate } from "../image/relocation/relocate.ts";
import type { ModuleExits } from "./runtime/atexit.ts";
import { registerExits } from "./runtime/names.ts";
import { askResolver } from "./runtime/ifunc.ts";
import { type ImportedVariable, openThreadBlocks, type ThreadBlocks } from "./runtime/thread_blocks.ts";
import { failure, type RelocationNeeds, scanRelocations } from "../image/relocation/scan.ts";
import { SymbolType } from "../smf/enums.ts";
import { verifyModuleHash } from "../smf/checksum.ts";
import { readSection } from "../smf/contents.ts";
import { readSmf, type SmfFile } from "../smf/file.ts";
import type { Reading } from "../smf/reader.ts";
import { contentLength } from "../smf/section.ts";
import { CHECK_UNCHANGED, checkedSteps, type FileReading } from "./file/source.ts";
import { planThreadLocals, type ThreadLocalPlan } from "../image/relocation/thread_locals.ts";

/** A module in memory, as the rest of the package uses it. Whoever gets it owns its memory and its holds. */
export interface LoadedImage extends Disposable {
  readonly file: SmfFile;
  readonly plan: ImagePlan;
  readonly memory: ExecutableMemory;
  /** Bytes of the pages that it was planned for. */
  readonly pageSize: number;
  /** The module, as those know it from whom it imports. */
  readonly importer: ModuleIdentity;
  /** Where each import was found. */
  readonly imports: readonly ImportRecord[];
  /** The integrity string of the file, if it was checked. */
  readonly integrity?: string | undefined;
  /** What the file was when it was read, if it was one. */
  readonly stamp?: FileStamp | undefined;
  /** What it has registered for its end, in the isolate that owns it. */
  readonly exits?: ModuleExits | undefined;
  /**
   * Why other isolates cannot use it, if they cannot: reloads of what it
   * imports from may change that.
   *
   * @param asked Images that were asked already.
   */
  whyNotShareable(asked?: Set<unknown>): string | undefined;
}

/** What loading needs beside the file. */
export interface LoadContext {
  readonly allocator: MemoryAllocator;
  /** Which names may be imported; all if there is none. */
  readonly allowlist?: ImportAllowlist | undefined;
  /** Asked in order for undefined names. */
  readonly sources: readonly ImportSource[];
  /** The module, for people. */
  readonly description: string;
  /** What the file's bytes have to be; anything if it is absent. */
  readonly integrity?: string | undefined;
}

/** The steps of loading one module; see {@linkcode FileReading}. */
export function loadSteps(context: LoadContext): FileReading<LoadedImage> {
  const { integrity } = context;
  if (integrity === undefined) return uncheckedSteps(context);
  return checkedSteps(integrity, (actual) => uncheckedSteps(context, actual));
}

/** The steps when the bytes as a whole are no question any more. */
function uncheckedSteps(context: LoadContext, integrity?: string): FileReading<LoadedImage> {
  return function* (size, stamp) {
    // What the allocator opens stays open from the first question on.
    using _opened = context.allocator.retain?.();
    const importer: ModuleIdentity = { description: context.description };
    const found = { ...yield* examine(context, size), integrity, stamp };
    // Names are answered before anything is mapped: what may not load never gets memory.
    const imports = resolveImports(found.file, found.needs.imports, context.sources, importer);
    const image = yield* undoing(imports, place(context, found, importer, nearOf(found, imports)));
    try {
      image.link(imports);
    } catch (error) {
      abandon(image);
      abandon(imports);
      throw error;
    }
    return image;
  };
}

/**
 * The steps of loading one of several modules that may import from each other:
 * its image has an address, but its imports are answered later, by
 * {@linkcode PlacedImage.link}.
 */
export function placeSteps(context: LoadContext): FileReading<PlacedImage> {
  return function* (size, stamp) {
    using _opened = context.allocator.retain?.();
    const found = { ...yield* examine(context, size), stamp };
    return yield* place(context, found, { description: context.description });
  };
}

/** What is known of a file before it gets memory. */
interface Examined {
  readonly file: SmfFile;
  readonly needs: RelocationNeeds;
  readonly plan: ImagePlan;
  readonly integrity?: string | undefined;
  readonly stamp?: FileStamp | undefined;
  readonly threadLocals: ThreadLocalPlan | undefined;
}

/** Reads the tables and checks everything that needs no memory. */
function* examine({ allocator, allowlist }: LoadContext, size: number): Reading<Examined> {
  const file = yield* readSmf(size);
  checkHost(file.header);
  const needs = scanRelocations(file);
  const plan = planImage(file, allocator.pageSize, { got: needs.gotCount, plt: needs.pltCount });
  const threadLocals = planThreadLocals(file, plan, needs);
  if (threadLocals !== undefined) checkThreadLocals();
  allowlist?.check(file, needs.imports);
  return { file, needs, plan, threadLocals };
}

/** Reserves memory and fills it. */
function* place(
  { allocator }: LoadContext,
  found: Examined,
  importer: ModuleIdentity,
  near?: bigint,
): ReturnType<FileReading<PlacedImage>> {
  retryDeferred();
  const memory = allocator.allocate(found.plan.size, found.plan.alignment, near);
  const image = new PlacedImage(allocator, memory, found, importer);
  return yield* undoing(image, image.fill());
}

/**
 * The address that the image should lie near: of a variable that it imports,
 * since code may reach that directly, and calls go through a stub if need be.
 */
function nearOf({ file, needs }: Examined, { addresses }: ResolvedImports): bigint | undefined {
  const data = needs.imports.findIndex((symbol, position) =>
    file.symbols.type(symbol) !== SymbolType.Function && addresses[position] !== 0n
  );
  return addresses[data] ?? addresses.find((address) => address !== 0n);
}

/** Runs steps; disposes of `owned` if they fail. */
function* undoing<T>(owned: Disposable, steps: ReturnType<FileReading<T>>): ReturnType<FileReading<T>> {
  try {
    return yield* steps;
  } catch (error) {
    abandon(owned);
    throw error;
  }
}

/** Bytes whose pages are asked for at once: fewer cost less one by one. */
const MANY_PAGES = 65_536;

/** An image that has its memory and, once it is linked, is ready to run. */
export class PlacedImage implements LoadedImage {
  readonly file: SmfFile;
  readonly plan: ImagePlan;
  readonly memory: ExecutableMemory;
  readonly pageSize: number;
  readonly importer: ModuleIdentity;
  readonly integrity: string | undefined;
  readonly stamp: FileStamp | undefined;
  readonly #allocator: MemoryAllocator;
  readonly #needs: RelocationNeeds;
  readonly #threadLocals: ThreadLocalPlan | undefined;
  #threadBlocks: ThreadBlocks | undefined;
  #imports: ResolvedImports | undefined;
  #exits: ModuleExits | undefined;
  /** From when it is filled until it is linked. */
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  constructor(
    allocator: MemoryAllocator,
    memory: ExecutableMemory,
    found: Examined,
    importer: ModuleIdentity,
  ) {
    this.#allocator = allocator;
    this.memory = memory;
    this.pageSize = allocator.pageSize;
    this.file = found.file;
    this.plan = found.plan;
    this.#needs = found.needs;
    this.#threadLocals = found.threadLocals;
    this.importer = importer;
    this.integrity = found.integrity;
    this.stamp = found.stamp;
  }

  get exits(): ModuleExits | undefined {
    return this.#exits;
  }

  get imports(): readonly ImportRecord[] {
    return this.#imports?.records ?? [];
  }

  whyNotShareable(asked: Set<unknown> = new Set()): string | undefined {
    if (asked.has(this)) return undefined;
    asked.add(this);
    if (this.#allocator !== platformAllocator()) return "its allocator belongs to this isolate";
    const name = this.#imports?.isolateLocalImport(asked);
    return name === undefined ? undefined : `its import '${name}' is a callback of this isolate`;
  }

  /** The undefined symbols that must be answered. */
  get undefinedSymbols(): readonly number[] {
    return this.#needs.imports;
  }

  /** Reads the sections straight into their places, and of the rest what the file's hash covers. */
  *fill(): ReturnType<FileReading<this>> {
    const { file, plan } = this;
    const bytes = this.#allocator.view(this.memory);
    for (const { section, offset } of plan.sections) {
      // Fresh memory is zero: a section of zeros costs no memory until it is written to.
      if (section.size === 0 && !section.compressed) continue;
      const filled = contentLength(section);
      if (filled >= MANY_PAGES) this.#allocator.prefault?.(this.memory, offset, filled);
      yield* readSection(file, section, bytes.subarray(offset, offset + section.virtualSize));
    }
    yield* verifyModuleHash(file);
    yield CHECK_UNCHANGED;
    this.#bytes = bytes;
    return this;
  }

  /**
   * Applies the relocations and sets the final protections. Beyond this point
   * code and constants never change, and nothing is writable and executable.
   *
   * Takes over `imports`. If it fails, the image can only be disposed of.
   */
  link(imports: ResolvedImports): void {
    this.#imports = imports;
    const { memory, plan } = this;
    imports.settle();
    this.#exits = registerExits(imports.records, memory);
    const bytes = this.#bytes ?? this.#allocator.view(memory);
    relocate(bytes, this.file, plan, this.#needs, { base: memory.address, imports: imports.addresses });
    // Threads copy the image as it is now, relocated.
    if (this.#threadLocals !== undefined) {
      const imported = (symbol: number) => this.#importedVariable(symbol, imports);
      this.#threadBlocks = openThreadBlocks(bytes, this.#threadLocals, imported);
    }
    detach(bytes);
    this.#bytes = undefined;
    this.#tellFollowers(imports);
    const { code, rodata, gotRegion } = plan;
    this.#protect(code, Protection.READ_EXECUTE);
    if (this.#needs.resolvers.length > 0) this.#askResolvers();
    this.#protect(rodata, Protection.READ_ONLY);
    if (gotRegion !== rodata) this.#protect(gotRegion, Protection.READ_ONLY);
  }

  #protect({ offset, length }: Region, protection: Protection): void {
    if (length > 0) this.#allocator.protect(this.memory, protection, offset, length);
  }

  /** A thread-local variable that is elsewhere: only the system knows where, so it must be in a library of its own. */
  #importedVariable(symbol: number, imports: ResolvedImports): ImportedVariable {
    const name = this.file.symbols.name(symbol);
    const library = imports.libraryOf(this.#needs.imports.indexOf(symbol));
    if (library !== undefined) return { name, library };
    throw new LoadError(
      "Unsupported",
      "Cannot import thread-local variable: only those of host libraries can be, by the option 'libraries'",
      { symbol: name },
    );
  }

  /** Puts the answers of resolvers in the place of their addresses: code can run, and the GOT is not sealed. */
  #askResolvers(): void {
    const { file, plan, memory } = this;
    const { relocations, symbols } = file;
    // Code can be written to no more; what else sections have comes behind it.
    const start = plan.code.offset + plan.code.length;
    const bytes = this.#allocator.view(memory, start, memory.size - start);
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      for (const index of this.#needs.resolvers) {
        const place = plan.place(relocations.offset(index), 8);
        const symbol = relocations.symbol(index);
        const resolver = symbols.value(symbol) + Number(relocations.addend(index));
        if (!symbols.isDefined(symbol) || !plan.isCode(resolver)) {
          throw failure(file, index, "Cannot choose function: its resolver is not the module's own code");
        }
        if (plan.isCode(relocations.offset(index))) {
          throw failure(file, index, "Cannot choose function: its place is in code, which does not change");
        }
        const address = askResolver(words.getBigUint64(place - start, true));
        if (address === 0n) throw failure(file, index, "Cannot choose function: its resolver found none");
        words.setBigUint64(place - start, address, true);
      }
    } finally {
      detach(bytes);
    }
  }

  /** Whoever may replace a variable that this module imports learns where its address is held. */
  #tellFollowers({ followers }: ResolvedImports): void {
    const { file, plan, memory } = this;
    const seal = new GotSeal(this.#allocator, memory, plan.gotRegion);
    const words = { allocator: this.#allocator, memory, file, plan, needs: this.#needs, seal };
    for (const [position, follow] of followers) {
      follow(new ImportedData(words, this.#needs.imports[position]));
    }
  }

  [Symbol.dispose](): void {
    this.#exits?.[Symbol.dispose]();
    this.#allocator.free(this.memory);
    this.#threadBlocks?.[Symbol.dispose]();
    this.#imports?.[Symbol.dispose]();
  }
}

/** The address of a defined symbol that has one. */
export function symbolAddress(image: LoadedImage, index: number): bigint {
  const place = image.plan.place(image.file.symbols.value(index), 0);
  if (place < 0) {
    throw new LoadError("InvalidFormat", "Cannot take address of symbol: it is not inside the image", {
      symbol: image.file.symbols.name(index),
    });
  }
  return image.memory.address + BigInt(place);
}
