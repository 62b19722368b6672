/**
 * A module's image: its memory and whatever else has to go with it.
 */

import { LoadError } from "../errors/load_error.ts";
import type { ImagePlan } from "../image/plan.ts";
import type { RelocationNeeds } from "../image/relocation/scan.ts";
import type { ThreadLocalPlan } from "../image/relocation/thread_locals.ts";
import { type ExecutableMemory, type MemoryAllocator, platformAllocator } from "../os/memory/allocator.ts";
import { abandon } from "../os/memory/deferred_release.ts";
import { HeaderFlag } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import type { Entries } from "../smf/entries.ts";
import { type Home, homeIndexAt } from "../smf/homes.ts";
import type { KeptDebug } from "../smf/kept_debug.ts";
import type { KeptTypes } from "../smf/kept_types.ts";
import type { FileStamp } from "./file/stamp.ts";
import type { ImportRecord, ModuleIdentity, ResolvedImports } from "./imports/resolve.ts";
import type { ModuleExits } from "./runtime/atexit.ts";
import { newBlocksName, type ThreadBlocks } from "./runtime/thread_blocks.ts";
import type { HeldThreads } from "./runtime/held_threads.ts";
import type { ThreadCallbacks } from "./runtime/windows_thread_callbacks.ts";
import type { OwnTrampolines } from "./own_trampolines.ts";
import type { StepTimer } from "./trace.ts";

/** The registration of an image for reports of crashes. */
export interface CrashReports extends Disposable {
  /** The bytes of the copies of the file's tables that reports are made from. */
  readonly bytes: number;
}

/** A module in memory, as the rest of the package uses it. Its owner disposes of it. */
export interface LoadedImage extends Disposable {
  readonly file: SmfFile;
  readonly plan: ImagePlan;
  readonly memory: ExecutableMemory;
  /** The page size, in bytes, that the plan was made for. */
  readonly pageSize: number;
  /** Identifies the module to the providers that it imports from. */
  readonly identity: ModuleIdentity;
  /** Where each import was found. */
  readonly imports: readonly ImportRecord[];
  /** The homes of its variables, in the order of their offsets; only in the isolate that owns the module. */
  readonly homes?: readonly Home[] | undefined;
  /** The file's record of the functions that a reload switches; undefined if the module is not hot. */
  readonly entries?: Entries | undefined;
  /** Whether calls of its own functions go through trampolines: from when another version takes over. */
  callsTrampolines?: boolean;
  /** The addresses of homes that are in the memory of earlier versions, by their indices; the others are its own. */
  homeAddresses?: readonly (bigint | undefined)[] | undefined;
  /** Whether its code was given back, and nothing can run or read it any more: others use its variables. */
  hasLeftCode?: boolean;
  /** The offsets of functions in `.fini_array` that do not run, because the version that serves runs its own. */
  supersededEnds?: ReadonlySet<number> | undefined;
  /** The types of exports and variables, not yet decoded; absent if the file has none. */
  readonly types?: KeptTypes | undefined;
  /** The debug information as in the file; absent if nobody asked to keep it, or there is none. */
  readonly debug?: KeptDebug | undefined;
  /** The integrity string of the file, if it was checked. */
  readonly integrity?: string | undefined;
  /** The state of the file when it was read; absent for bytes. */
  readonly stamp?: FileStamp | undefined;
  /** The functions that the module registers for its end; only in the isolate that owns it. */
  readonly exits?: ModuleExits | undefined;
  /** The functions that Windows calls when threads begin or end; only in the isolate that owns it. */
  readonly threadCallbacks?: ThreadCallbacks | undefined;
  /** The threads that its initialisers start, if they may be held; only in the isolate that owns it. */
  readonly heldThreads?: HeldThreads | undefined;
  /** The data group as it was before any code ran, without zeros at its end; absent if nobody asked to keep it. */
  readonly initialData?: Uint8Array | undefined;
  /** The module's own functions, by the trampolines whose addresses its words hold instead. */
  ownTrampolines?: OwnTrampolines | undefined;
  /** The name of the library with the TLS blocks that others can find; undefined if the module has none for them. */
  readonly threadLocalLibrary?: string | undefined;
  /** The version whose TLS blocks the code uses, if that is not its own. */
  keptBlocks?: KeptBlocks | undefined;
  /** The needs of the file's relocations; only in the isolate that owns the module. */
  readonly needs?: RelocationNeeds | undefined;
  /**
   * Says why other isolates cannot use the module, or `undefined` if they can.
   * A reload of a provider may change the answer.
   *
   * @param asked Images that were asked already.
   */
  whyNotShareable(asked?: Set<unknown>): string | undefined;
  /** Whether its memory was freed: its providers, which it lets go of afterwards, must not read it. */
  readonly isFreed?: boolean;
}

/** The TLS blocks of an earlier version that a version's code uses. */
export interface KeptBlocks extends Disposable {
  /** The name of the library of that version. */
  readonly library: string;
}

/** The library of the TLS blocks that a version's code uses; undefined if others cannot find them. */
export function blocksLibrary({ keptBlocks, threadLocalLibrary }: LoadedImage): string | undefined {
  return keptBlocks?.library ?? threadLocalLibrary;
}

/** Everything that is known about a file before memory is reserved for it. */
export interface ExaminedFile {
  readonly file: SmfFile;
  readonly needs: RelocationNeeds;
  readonly plan: ImagePlan;
  readonly threadLocals: ThreadLocalPlan | undefined;
  /** The host libraries that the file names. */
  readonly libraries: readonly string[];
  /** The homes of its variables, in the order of their offsets. */
  readonly homes: readonly Home[];
  /** The file's record of the functions that a reload switches; undefined if the module is not hot. */
  readonly entries: Entries | undefined;
  readonly integrity?: string | undefined;
  readonly stamp?: FileStamp | undefined;
}

/** An image that has its memory. The phases of loading fill it, link it and hand it on. */
export class PlacedImage implements LoadedImage {
  readonly file: SmfFile;
  readonly plan: ImagePlan;
  readonly memory: ExecutableMemory;
  readonly pageSize: number;
  readonly identity: ModuleIdentity;
  readonly integrity: string | undefined;
  readonly stamp: FileStamp | undefined;
  readonly allocator: MemoryAllocator;
  readonly needs: RelocationNeeds;
  readonly threadLocals: ThreadLocalPlan | undefined;
  readonly libraries: readonly string[];
  readonly homes: readonly Home[];
  readonly entries: Entries | undefined;
  callsTrampolines = false;
  hasLeftCode = false;
  homeAddresses: readonly (bigint | undefined)[] | undefined;
  supersededEnds: ReadonlySet<number> | undefined;
  /** The whole range, writable: from the time it is filled until it is relocated. */
  bytes: Uint8Array<ArrayBuffer> | undefined;
  /** The imports and the holds on their providers; set when linking begins. */
  resolved: ResolvedImports | undefined;
  types: KeptTypes | undefined;
  debug: KeptDebug | undefined;
  exits: ModuleExits | undefined;
  threadCallbacks: ThreadCallbacks | undefined;
  heldThreads: HeldThreads | undefined;
  ownTrampolines: OwnTrampolines | undefined;
  initialData: Uint8Array | undefined;
  readonly threadLocalLibrary: string | undefined;
  /** The TLS blocks of an image that exports thread-local variables. */
  definedBlocks: Disposable | undefined;
  threadBlocks: ThreadBlocks | undefined;
  keptBlocks: KeptBlocks | undefined;
  /** The registration of the unwind tables. */
  frames: Disposable | undefined;
  /** Measures the time that relocating takes. */
  relocating: StepTimer | undefined;
  /** The registration for reports of crashes. */
  crashReports: CrashReports | undefined;
  /** The stubs in the place of missing functions. */
  missingCalls: Disposable | undefined;

  /** @param memory Allocated by `allocator`; the image owns it from now on. */
  constructor(
    allocator: MemoryAllocator,
    memory: ExecutableMemory,
    examined: ExaminedFile,
    identity: ModuleIdentity,
  ) {
    this.allocator = allocator;
    this.memory = memory;
    this.pageSize = allocator.pageSize;
    this.file = examined.file;
    this.plan = examined.plan;
    this.needs = examined.needs;
    this.threadLocals = examined.threadLocals;
    // A library of its own lets others find the block: importers, and later versions that keep it.
    const isReloadable = (examined.file.header.flags & HeaderFlag.Reloadable) !== 0;
    const { blocks, exports = [] } = this.threadLocals ?? {};
    const isShared = blocks !== undefined && (isReloadable || exports.length > 0);
    this.threadLocalLibrary = isShared ? newBlocksName() : undefined;
    this.libraries = examined.libraries;
    this.homes = examined.homes;
    this.entries = examined.entries;
    this.identity = identity;
    this.integrity = examined.integrity;
    this.stamp = examined.stamp;
  }

  get imports(): readonly ImportRecord[] {
    return this.resolved?.records ?? [];
  }

  isFreed = false;

  whyNotShareable(asked: Set<unknown> = new Set()): string | undefined {
    if (asked.has(this)) return undefined;
    asked.add(this);
    if (this.allocator !== platformAllocator()) return "its allocator belongs to this isolate";
    const name = this.resolved?.isolateLocalImport(asked);
    return name === undefined ? undefined : `its import '${name}' is a callback of this isolate`;
  }

  /**
   * Frees the memory, then releases the providers. Not a `DisposableStack`,
   * which runs each disposer once: memory that the system does not take back
   * stays owned, and the next call tries again from there.
   *
   * Safety: nothing may run the module's code or use its addresses any more.
   */
  [Symbol.dispose](): void {
    this.exits?.[Symbol.dispose]();
    this.threadCallbacks?.[Symbol.dispose]();
    this.threadCallbacks = undefined;
    // Once only: memory that cannot be freed is tried again, and the unwinder aborts at a table that it does not know.
    const { frames } = this;
    this.frames = undefined;
    frames?.[Symbol.dispose]();
    this.crashReports?.[Symbol.dispose]();
    this.crashReports = undefined;
    this.allocator.free(this.memory);
    this.isFreed = true;
    if (this.missingCalls !== undefined) abandon(this.missingCalls);
    this.missingCalls = undefined;
    this.keptBlocks?.[Symbol.dispose]();
    this.threadBlocks?.[Symbol.dispose]();
    this.definedBlocks?.[Symbol.dispose]();
    this.resolved?.[Symbol.dispose]();
  }
}

/**
 * The address of a defined symbol that has one.
 *
 * Safety: the address is valid until the image is disposed of.
 */
export function symbolAddress(image: LoadedImage, index: number): bigint {
  const kept = keptHome(image, image.file.symbols.value(index));
  if (kept !== undefined) return kept.address;
  const offset = image.plan.place(image.file.symbols.value(index), 0);
  if (offset < 0) {
    throw new LoadError("InvalidFormat", "Cannot take address of symbol: it is not inside the image", {
      symbol: image.file.symbols.name(index),
    });
  }
  return image.memory.address + BigInt(offset);
}

/** A place in a home that is in the memory of an earlier version. */
export interface KeptPlace {
  readonly address: bigint;
  /** The bytes from there to the end of the home. */
  readonly room: number;
}

/** Finds the place of an offset of the file's image in the memory of an earlier version; undefined if it is in the image's own. */
export function keptHome({ homes, homeAddresses }: LoadedImage, offset: number): KeptPlace | undefined {
  if (homes === undefined || homeAddresses === undefined) return undefined;
  const index = homeIndexAt(homes, offset);
  const home = homes[index], address = homeAddresses[index];
  if (home === undefined || address === undefined) return undefined;
  return { address: address + BigInt(offset - home.offset), room: home.offset + home.size - offset };
}
