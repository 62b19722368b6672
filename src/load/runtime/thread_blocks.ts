/**
 * Blocks of thread-local variables, by a shared library that has nothing but
 * them: the C library numbers it, makes each thread's block when that thread
 * first needs it, and takes the blocks away when the library is closed.
 *
 * | SMF | R_X86_64_* | R_AARCH64_* |
 * |---|---|---|
 * | TlsModule64 | DTPMOD64, 16 | TLS_DTPMOD, 1028 |
 * | TlsOffset64 | DTPOFF64, 17 | TLS_DTPREL, 1029 |
 * | TlsStatic64 | TPOFF64, 18 | TLS_TPREL, 1030 |
 * | TlsDescriptor | TLSDESC, 36 | TLSDESC, 1031 |
 */

import { ELF_MACHINE, type ElfRelocation, WORDS_NAME, writeElfLibrary } from "../../call/stub/elf_library.ts";
import { MemoryFiles } from "../../os/memory_file.ts";
import { pointerTo } from "../../os/pointer.ts";
import { LoadError } from "../../errors.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";
import { RelocationType } from "../../smf/enums.ts";
import type {
  ThreadLocalBlocks,
  ThreadLocalPlan,
  ThreadLocalWord,
} from "../../image/relocation/thread_locals.ts";

const TYPES: Readonly<Record<typeof Deno.build.arch, Readonly<Record<number, number>>>> = {
  x86_64: {
    [RelocationType.TlsModule64]: 16,
    [RelocationType.TlsOffset64]: 17,
    [RelocationType.TlsStatic64]: 18,
    [RelocationType.TlsDescriptor]: 36,
  },
  aarch64: {
    [RelocationType.TlsModule64]: 1028,
    [RelocationType.TlsOffset64]: 1029,
    [RelocationType.TlsStatic64]: 1030,
    [RelocationType.TlsDescriptor]: 1031,
  },
};

/** The library that makes one module's blocks; they are there until it is disposed. */
export type ThreadBlocks = Disposable;

/** A variable in a library of the host. */
export interface ImportedVariable {
  readonly name: string;
  readonly library: string;
}

/**
 * Makes the blocks possible and fills the words of a module that lead to them,
 * and to those of libraries that it imports from.
 *
 * @param bytes Of the whole range, relocated otherwise.
 * @param imported Says where an undefined symbol is defined.
 * @throws {LoadError} `Unsupported` if the system refuses: mostly for want of room for initial-exec variables.
 */
export function openThreadBlocks(
  bytes: Uint8Array,
  plan: ThreadLocalPlan,
  imported: (symbol: number) => ImportedVariable,
): ThreadBlocks {
  const library = writeBlocks(bytes, plan, imported);
  using opening = new DisposableStack();
  const linker = openDynamicLinker();
  opening.defer(() => linker[Symbol.dispose]());
  using files = new MemoryFiles();
  const handle = files.withFile(library, (path) => linker.open(path));
  if (handle === null) {
    // The reason stands behind the library's path, which says nothing here.
    const reason = linker.failure()?.replace(/^\S+: /, "");
    const advice = plan.words.some(isStatic) ? "; compile without -ftls-model=initial-exec" : "";
    throw new LoadError(
      "Unsupported",
      `Cannot make thread-local variables: the system refuses them (${reason})${advice}`,
      { size: plan.blocks?.size ?? 0 },
    );
  }
  opening.defer(() => linker.close(handle));
  const words = new Deno.UnsafePointerView(pointerTo(linker.find(handle, WORDS_NAME)));
  let from = 0;
  for (const { place, size } of plan.words) {
    words.copyInto(bytes.subarray(place, place + size), from);
    from += size;
  }
  return opening.move();
}

function writeBlocks(
  bytes: Uint8Array,
  { blocks, words }: ThreadLocalPlan,
  imported: (symbol: number) => ImportedVariable,
): Uint8Array<ArrayBuffer> {
  const relocations: ElfRelocation[] = [];
  const needed = new Set<string>();
  const names: string[] = [];
  let wordBytes = 0;
  for (const word of words) {
    let symbol: number | undefined;
    if (word.imported !== undefined) {
      const { name, library } = imported(word.imported);
      needed.add(library);
      const known = names.indexOf(name);
      symbol = known >= 0 ? known : names.push(name) - 1;
    }
    relocations.push({
      offset: wordBytes,
      type: TYPES[Deno.build.arch][word.type],
      symbol,
      addend: word.offset,
    });
    wordBytes += word.size;
  }
  return writeElfLibrary(ELF_MACHINE[Deno.build.arch], {
    ...(blocks && { threadLocals: { ...blocks, image: imageIn(bytes, blocks) } }),
    needed: [...needed],
    threadLocalImports: names,
    wordBytes,
    relocations,
    needsStaticTls: words.some(isStatic),
  });
}

function imageIn(bytes: Uint8Array, { image: { offset, length } }: ThreadLocalBlocks): Uint8Array {
  return bytes.subarray(offset, offset + length);
}

function isStatic({ type }: ThreadLocalWord): boolean {
  return type === RelocationType.TlsStatic64;
}
