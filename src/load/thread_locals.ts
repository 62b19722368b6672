/**
 * The thread-local variables of an image: its TLS blocks, and the words and
 * instructions by which its code finds variables.
 */

import { applyStaticOffsets } from "../image/relocation/thread_locals.ts";
import { Binding } from "../smf/enums.ts";
import type { PlacedImage } from "./image.ts";
import type { ResolvedImports } from "./imports/resolve.ts";
import { defineThreadBlocks, type ImportedVariable, openThreadBlocks } from "./runtime/thread_blocks.ts";

/**
 * Gives a relocated image that exports variables its TLS blocks, so that the
 * words of other images, and its own, can be filled. Does nothing for other images.
 *
 * @param bytes The whole range: each thread's block begins as a copy of relocated bytes.
 */
export function defineThreadLocals(image: PlacedImage, bytes: Uint8Array): void {
  const { threadLocals, threadLocalLibrary } = image;
  if (threadLocals === undefined || threadLocalLibrary === undefined) return;
  image.definedBlocks = defineThreadBlocks(bytes, threadLocals, threadLocalLibrary);
}

/** Fills the words and instructions, once all images that it may import from have their TLS blocks. */
export function fillThreadLocals(image: PlacedImage, bytes: Uint8Array, imports: ResolvedImports): void {
  const { file, needs, threadLocals, threadLocalLibrary } = image;
  if (threadLocals === undefined) return;
  if (threadLocals.words.length === 0 && threadLocals.staticOffsets.length === 0) return;
  const imported = (symbol: number): ImportedVariable => {
    const { libraries, nameThere } = imports.threadLocal(needs.imports.indexOf(symbol));
    const { symbols } = file;
    const isWeak = symbols.binding(symbol) === Binding.Weak;
    return { name: nameThere ?? symbols.name(symbol), isWeak, libraries };
  };
  const blocks = openThreadBlocks(bytes, threadLocals, imported, image.identity, threadLocalLibrary);
  image.threadBlocks = blocks;
  if (blocks.staticOffset !== undefined) {
    applyStaticOffsets(bytes, file, threadLocals, blocks.staticOffset);
  }
}
