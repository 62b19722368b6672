/**
 * The thread-local variables of an image: its TLS blocks, and the words and
 * instructions by which its code finds variables.
 */

import { applyStaticOffsets } from "../image/relocation/thread_locals.ts";
import { relocationArch } from "../image/relocation/mod.ts";
import { bytesAt } from "../os/native_memory.ts";
import { Binding, Platform } from "../smf/enums.ts";
import type { PlacedImage } from "./image.ts";
import type { ResolvedImports } from "./imports/resolve.ts";
import { HOST_PLATFORM } from "./runtime/host.ts";
import { defineThreadBlocks, type ImportedVariable, openThreadBlocks } from "./runtime/thread_blocks.ts";
import { defineWindowsBlocks, openWindowsBlocks } from "./runtime/windows_thread_blocks.ts";

const IS_WINDOWS = HOST_PLATFORM === Platform.Windows;

/**
 * Gives a relocated image that exports variables its TLS blocks, so that the
 * words of other images, and its own, can be filled. Does nothing for other images.
 *
 * @param bytes The whole range: each thread's block begins as a copy of relocated bytes.
 */
export function defineThreadLocals(image: PlacedImage, bytes: Uint8Array): void {
  const { threadLocals, threadLocalLibrary } = image;
  if (threadLocals === undefined || threadLocalLibrary === undefined) return;
  image.definedBlocks = (IS_WINDOWS ? defineWindowsBlocks : defineThreadBlocks)(
    bytes,
    threadLocals,
    threadLocalLibrary,
  );
}

/** Fills the words and instructions, once all images that it may import from have their TLS blocks. */
export function fillThreadLocals(image: PlacedImage, bytes: Uint8Array, imports: ResolvedImports): void {
  const { file, threadLocals, threadLocalLibrary } = image;
  if (threadLocals === undefined) return;
  if (threadLocals.words.length === 0 && threadLocals.staticOffsets.length === 0) return;
  if (IS_WINDOWS) {
    image.threadBlocks = openWindowsBlocks(bytes, threadLocals, threadLocalLibrary);
    return;
  }
  const imported = importedBy(image, imports);
  const blocks = openThreadBlocks(bytes, threadLocals, imported, image.identity, threadLocalLibrary);
  image.threadBlocks = blocks;
  if (blocks.staticOffset !== undefined) {
    applyStaticOffsets(bytes, file, threadLocals, blocks.staticOffset);
  }
}

function importedBy(
  { file, needs }: PlacedImage,
  imports: ResolvedImports,
): (symbol: number) => ImportedVariable {
  return (symbol) => {
    const { libraries, nameThere } = imports.threadLocal(needs.imports.indexOf(symbol));
    const { symbols } = file;
    const isWeak = symbols.binding(symbol) === Binding.Weak;
    return { name: nameThere ?? symbols.name(symbol), isWeak, libraries };
  };
}

/** Bytes by which code finds thread-local variables. */
export interface ThreadLocalBytes {
  /** The offset in the range. */
  readonly place: number;
  readonly bytes: Uint8Array;
}

/** The way of an image's code to other TLS blocks than its own, which it may use until this is disposed of. */
export interface OtherBlocks extends Disposable {
  readonly bytes: readonly ThreadLocalBytes[];
}

/**
 * Finds the bytes by which the code of a linked image uses the TLS blocks of another version of the same layout.
 *
 * @param library The name of that version's library.
 * @throws {LoadError} As `openThreadBlocks`; `RelocationFailed` if the blocks are out of reach.
 */
export function openOtherBlocks(image: PlacedImage, library: string): OtherBlocks {
  const { file, plan, memory, threadLocals, resolved, identity } = image;
  if (threadLocals === undefined || threadLocals.words.length + threadLocals.staticOffsets.length === 0) {
    return { bytes: [], [Symbol.dispose]() {} };
  }
  using opening = new DisposableStack();
  const copy = bytesAt(memory.address, plan.size).slice();
  const blocks = opening.use(
    IS_WINDOWS
      ? openWindowsBlocks(copy, threadLocals, library)
      : openThreadBlocks(copy, threadLocals, importedBy(image, resolved!), identity, library),
  );
  if (blocks.staticOffset !== undefined) applyStaticOffsets(copy, file, threadLocals, blocks.staticOffset);
  const { widths } = relocationArch(file.header.arch);
  const places = [
    ...threadLocals.words.map(({ place, size }) => [place, size] as const),
    ...threadLocals.staticOffsets.map(({ place, index }) =>
      [place, widths[file.relocations.type(index)]] as const
    ),
  ];
  const opened = opening.move();
  return {
    bytes: places.map(([place, size]) => ({ place, bytes: copy.slice(place, place + size) })),
    [Symbol.dispose]: () => opened.dispose(),
  };
}
