/**
 * The phases of loading that give a module its memory: place, and fill.
 */

import { LOW_END } from "../image/relocation/arch.ts";
import {
  type ExecutableMemory,
  type MemoryAllocator,
  noRoomBelow,
  prefault,
  PREFAULT_SIZE,
} from "../os/memory/allocator.ts";
import { abandon, retryDeferred } from "../os/memory/deferred_release.ts";
import { verifyModuleHash } from "../smf/checksum.ts";
import { readSection } from "../smf/contents.ts";
import { keepDebug } from "../smf/kept_debug.ts";
import { keepTypes } from "../smf/kept_types.ts";
import { contentLength } from "../smf/section.ts";
import { CHECK_UNCHANGED, type FileReading } from "./file/reading.ts";
import { type ExaminedFile, PlacedImage } from "./image.ts";
import type { ModuleIdentity } from "./imports/resolve.ts";
import { StepTimer } from "./trace.ts";

/** Where an image should lie. */
interface Wishes {
  readonly allocator: MemoryAllocator;
  /** An address that it should lie near, before those of its imports. */
  readonly near?: bigint | undefined;
}

/** Place: reserves the range. */
export function place(
  { allocator, near }: Wishes,
  examined: ExaminedFile,
  identity: ModuleIdentity,
  nearImports?: bigint,
): PlacedImage {
  retryDeferred();
  const { plan: { size, alignment }, needs } = examined;
  const memory = needs.isLow
    ? allocateLow(allocator, size, alignment)
    : allocator.allocate(size, alignment, near ?? nearImports);
  return new PlacedImage(allocator, memory, examined, identity);
}

/** Reserves the range of an image whose addresses must fit into 32 bits. */
function allocateLow(allocator: MemoryAllocator, size: number, alignment: number): ExecutableMemory {
  const below = BigInt(LOW_END);
  const memory = allocator.allocate(size, alignment, undefined, below);
  if (memory.address + BigInt(memory.size) <= below) return memory;
  // An allocator of the user's that does not know the parameter.
  abandon({ [Symbol.dispose]: () => allocator.free(memory) });
  throw noRoomBelow(below, size);
}

/** Announces the bytes that sections are about to fill, those of neighbours together. */
function prefaultSections({ allocator, memory, plan }: PlacedImage): void {
  if (allocator.prefault === undefined || plan.size < PREFAULT_SIZE) return;
  const filled = plan.sections.map(({ section, offset }) => ({
    start: offset,
    end: offset + contentLength(section),
  }))
    .filter(({ start, end }) => end > start).sort((one, other) => one.start - other.start);
  for (let index = 0; index < filled.length;) {
    const { start } = filled[index];
    let { end } = filled[index++];
    while (index < filled.length && filled[index].start - end < allocator.pageSize) end = filled[index++].end;
    prefault(allocator, memory, start, end - start);
  }
}

/** Fill: reads the sections straight into their places, the bytes of types, then what else the file's hash covers. */
export function* fill(
  image: PlacedImage,
  { keepsDebug }: { readonly keepsDebug?: boolean },
): ReturnType<FileReading<void>> {
  const { allocator, memory, file, plan } = image;
  const { address, size } = memory;
  const filling = new StepTimer(image.identity.trace);
  const bytes = allocator.view(memory);
  prefaultSections(image);
  for (const { section, offset } of plan.sections) {
    // Fresh memory is zero: a section of zeros costs no memory until it is written to.
    if (section.size === 0 && !section.compressed) continue;
    yield* readSection(file, section, bytes.subarray(offset, offset + section.virtualSize));
  }
  image.types = yield* keepTypes(file);
  if (keepsDebug === true) image.debug = yield* keepDebug(file);
  yield* verifyModuleHash(file);
  yield CHECK_UNCHANGED;
  image.bytes = bytes;
  filling.done((milliseconds) => ({ kind: "place", address, size, milliseconds }));
}
