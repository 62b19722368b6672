/**
 * From a file to code that can run: one line a step.
 *
 * Whatever fails, the steps that were taken are undone: memory is freed and
 * the modules that answered for imports are let go.
 */

import { LoadError } from "./errors.ts";
import { checkHost } from "./host.ts";
import { type ImagePlan, planImage } from "./image.ts";
import type { ImportFirewall } from "./imports/firewall.ts";
import {
  type ImportRecord,
  type ImportSource,
  type ResolvedImports,
  resolveImports,
} from "./imports/resolve.ts";
import {
  detach,
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  Protection,
} from "./memory/allocator.ts";
import { relocate } from "./relocate.ts";
import { scanRelocations } from "./scan.ts";
import { readSection, readSmf, type SmfFile, verifyModuleHash } from "./smf/file.ts";
import type { Reading } from "./smf/reader.ts";
import { type FileSteps, READING_ENDS } from "./source.ts";

/** A module in memory, linked and protected. Whoever gets it owns its memory and its holds. */
export interface LoadedImage extends Disposable {
  readonly file: SmfFile;
  readonly plan: ImagePlan;
  readonly memory: ExecutableMemory;
  /** Bytes of the pages that it was planned for. */
  readonly pageSize: number;
  /** Where each import was found. */
  readonly imports: readonly ImportRecord[];
  /** Why other isolates cannot use it, if they cannot. */
  readonly privateReason: string | undefined;
}

/** What loading needs beside the file. */
export interface LoadContext {
  readonly allocator: MemoryAllocator;
  /** Which names may be imported; all if there is none. */
  readonly firewall?: ImportFirewall | undefined;
  /** Asked in order for undefined names. */
  readonly sources: readonly ImportSource[];
  /** The module, for people and for those who hold what it imports. */
  readonly description: string;
}

/** The steps of loading one module; see {@linkcode FileSteps}. */
export function loadSteps(context: LoadContext): FileSteps<LoadedImage> {
  return function* (size) {
    const { allocator, sources, description, firewall } = context;
    const file = yield* readSmf(size);
    checkHost(file.header);
    const needs = scanRelocations(file);
    const plan = planImage(file, allocator.pageSize, { got: needs.gotCount, plt: needs.pltCount });
    firewall?.check(file, needs.imports);
    // Names are answered before anything is mapped: what may not load never gets memory.
    const imports = resolveImports(file, needs.imports, sources, description);
    try {
      const memory = allocator.allocate(plan.size, plan.alignment, imports.records[0]?.address);
      try {
        const bytes = allocator.view(memory);
        yield* fill(file, plan, bytes);
        yield READING_ENDS;
        relocate(bytes, file, plan, needs, { base: memory.address, imports: imports.addresses });
        detach(bytes);
        publish(allocator, memory, plan);
        return {
          file,
          plan,
          memory,
          pageSize: allocator.pageSize,
          imports: imports.records,
          privateReason: privateReason(allocator, imports),
          [Symbol.dispose](): void {
            allocator.free(memory);
            imports[Symbol.dispose]();
          },
        };
      } catch (error) {
        allocator.free(memory);
        throw error;
      }
    } catch (error) {
      imports[Symbol.dispose]();
      throw error;
    }
  };
}

/** Reads the sections straight into their places, and of the rest what the file's hash covers. */
function* fill(file: SmfFile, plan: ImagePlan, bytes: Uint8Array): Reading<void> {
  for (const { section, offset } of plan.sections) {
    yield* readSection(file, section, bytes.subarray(offset, offset + section.virtualSize));
  }
  yield* verifyModuleHash(file);
}

/**
 * Sets the final protections. Beyond this point code and constants never
 * change, and nothing is writable and executable.
 */
function publish(allocator: MemoryAllocator, memory: ExecutableMemory, { code, rodata }: ImagePlan): void {
  if (code.length > 0) allocator.protect(memory, Protection.READ_EXECUTE, code.offset, code.length);
  if (rodata.length > 0) allocator.protect(memory, Protection.READ_ONLY, rodata.offset, rodata.length);
}

function privateReason(allocator: MemoryAllocator, { isolateBound }: ResolvedImports): string | undefined {
  if (allocator !== platformAllocator()) return "its allocator belongs to this isolate";
  if (isolateBound !== undefined) return `its import '${isolateBound}' is a callback of this isolate`;
  return undefined;
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
