/**
 * TLS blocks for modules on Windows, through a DLL that contains nothing else: the system gives it a number, by which
 * code finds the block of its thread (`_tls_index`), and frees the blocks when the DLL is closed.
 *
 * A file in the folder for temporary files holds the DLL, as it holds stub libraries.
 */
import { TLS_NUMBER, writePeThreadLocals } from "../../call/stub/pe_thread_locals.ts";
import { LoadError } from "../../errors/load_error.ts";
import type { ThreadLocalBlocks, ThreadLocalPlan } from "../../image/relocation/thread_locals.ts";
import { pointerTo } from "../../os/pointer.ts";
import { RelocationType } from "../../smf/enums.ts";
import { openWrittenLibrary } from "./windows_library.ts";

/** The largest alignment of the blocks that every version of Windows allocates. */
const MOST_ALIGNMENT = 16;

/** The numbers of the blocks that are open under a name, for versions that keep them. */
const open: Map<string, number> = new Map();

function openBlocks(
  bytes: Uint8Array,
  { image, size, alignment }: ThreadLocalBlocks,
): Disposable & { number: number } {
  if (alignment > MOST_ALIGNMENT) {
    throw new LoadError(
      "Unsupported",
      `Cannot provide thread-local variables: they need an alignment of ${alignment} bytes, and Windows gives 16`,
      { value: alignment, hint: "align thread-local variables to 16 bytes or less" },
    );
  }
  const start = bytes.subarray(image.offset, image.offset + image.length);
  const library = openWrittenLibrary(
    writePeThreadLocals(start, size, alignment),
    TLS_NUMBER,
    "provide thread-local variables",
    "close modules that have thread-local variables",
  );
  const number = new Deno.UnsafePointerView(pointerTo(library.address)).getUint32();
  return { number, [Symbol.dispose]: () => library[Symbol.dispose]() };
}

/**
 * Opens the TLS blocks of a module that other versions may keep.
 *
 * Safety: as {@linkcode openWindowsBlocks}.
 *
 * Platforms: Windows only.
 *
 * @param name A name that no other library has.
 */
export function defineWindowsBlocks(bytes: Uint8Array, plan: ThreadLocalPlan, name: string): Disposable {
  const blocks = openBlocks(bytes, plan.blocks!);
  open.set(name, blocks.number);
  return {
    [Symbol.dispose](): void {
      open.delete(name);
      blocks[Symbol.dispose]();
    },
  };
}

/**
 * Opens the TLS blocks of a module, and fills the words by which its code finds them.
 *
 * Safety: the result must be disposed of only when no thread runs the module's code any more.
 *
 * Platforms: Windows only.
 *
 * @param bytes The whole range; all other relocations have been applied.
 * @param defined The name under which {@linkcode defineWindowsBlocks} opened the blocks; undefined if it did not.
 * @throws {LoadError} `Unsupported` for variables of other modules, for code of other systems, and for a large alignment.
 */
export function openWindowsBlocks(
  bytes: Uint8Array,
  plan: ThreadLocalPlan,
  defined: string | undefined,
): Disposable & { readonly staticOffset: undefined } {
  const { blocks, words, staticOffsets } = plan;
  const foreign = words.find(({ type, imported }) =>
    type !== RelocationType.TlsModule64 || imported !== undefined
  );
  if (foreign !== undefined || staticOffsets.length > 0 || blocks === undefined) {
    throw new LoadError(
      "Unsupported",
      "Cannot provide thread-local variables: the code finds them as Windows does not, or in another module",
      {
        hint:
          "compile for Windows (x86_64-w64-mingw32-gcc, clang, zig), and link all objects that share the variable",
      },
    );
  }
  const known = defined === undefined ? undefined : open.get(defined);
  const own = known === undefined ? openBlocks(bytes, blocks) : undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { place } of words) view.setBigUint64(place, BigInt(known ?? own!.number), true);
  return { staticOffset: undefined, [Symbol.dispose]: () => own?.[Symbol.dispose]() };
}
