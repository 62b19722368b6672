/**
 * TLS blocks for modules, through a shared library in memory that contains
 * nothing else: the C library gives it a module number, allocates each thread's
 * block on first use, and frees the blocks when the library is closed.
 *
 * A module that exports variables has two libraries: one with its block, which
 * needs no other, and one with the words. So modules can import variables from
 * each other: the blocks of all of them are there before the first word is filled.
 * The libraries of importers need that of the block, by its name, and find the
 * variables in it, whatever else in the process has the same names.
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
import { LoadError } from "../../errors/load_error.ts";
import { type ModuleIdentity, undefinedThreadLocals } from "../imports/resolve.ts";
import { openDynamicLinker } from "../../os/dynamic_linker.ts";
import { RelocationType } from "../../smf/enums.ts";
import type { ThreadLocalBlocks, ThreadLocalPlan } from "../../image/relocation/thread_locals.ts";

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

/** How glibc reports a name that no library defines. */
const MISSING_NAME = /undefined symbol: ([^\s,]+)/;

/** The library of one module's TLS blocks, which exist until it is disposed of. */
export interface ThreadBlocks extends Disposable {
  /** The offset of the module's block from every thread pointer; undefined unless local-exec code needs it. */
  readonly staticOffset: number | undefined;
}

/** A thread-local variable that host libraries or another module define. */
export interface ImportedVariable {
  /** Its name in those libraries; see {@linkcode exportedName} for that of another module's. */
  readonly name: string;
  /** Whether it may be missing. */
  readonly isWeak: boolean;
  /** The libraries among which the dynamic linker finds it. */
  readonly libraries: readonly string[];
}

/** The name of the library of a module's TLS blocks, which no other library in the process has. */
export function newBlocksName(): string {
  return `smf-${crypto.randomUUID()}`;
}

/** The name of a module's variable in the library of its TLS blocks. */
export function exportedName(library: string, variable: string): string {
  return `${library}:${variable}`;
}

/** Stands for the start of a block, from which a module's own words count; no variable has an empty name. */
const START = "";

/**
 * Opens the library of a module's TLS blocks alone, for a module that exports
 * variables; {@linkcode openThreadBlocks} fills its words.
 *
 * Safety: as {@linkcode openThreadBlocks}.
 *
 * @param bytes The whole range; all other relocations have been applied.
 * @param name A name that no other library has.
 * @throws {LoadError} `Unsupported` if the system refuses.
 */
export function defineThreadBlocks(bytes: Uint8Array, plan: ThreadLocalPlan, name: string): Disposable {
  const { blocks, exports } = plan;
  const library = writeElfLibrary(ELF_MACHINE[Deno.build.arch], {
    soname: name,
    threadLocals: { ...blocks!, image: imageIn(bytes, blocks!) },
    threadLocalExports: [{ name: START, offset: 0 }, ...exports].map(({ name: variable, offset }) => ({
      name: exportedName(name, variable),
      offset,
    })),
    needsStaticTls: needsStaticTls(plan),
  });
  return openInMemory(library, plan).handle;
}

/**
 * Opens the library of a module's TLS blocks, and fills the words by which the
 * module's code finds its variables in them and in those of host libraries and other modules.
 *
 * Safety: the result must be disposed of only when no thread runs the module's
 * code any more.
 *
 * Platforms: works on Linux only.
 *
 * @param bytes The whole range; all other relocations have been applied.
 * @param imported Returns the variable that an undefined symbol stands for.
 * @param importer Names the module in messages.
 * @param defined The name of the library that {@linkcode defineThreadBlocks} opened; undefined without one.
 * @throws {LoadError} `UndefinedSymbol` if no library defines an imported
 * variable; `Unsupported` if the system refuses: mostly because its
 * space for initial-exec variables is used up.
 */
export function openThreadBlocks(
  bytes: Uint8Array,
  plan: ThreadLocalPlan,
  imported: (symbol: number) => ImportedVariable,
  importer: ModuleIdentity,
  defined?: string,
): ThreadBlocks {
  using opening = new DisposableStack();
  const { handle, wordsAt } = openInMemory(writeBlocks(bytes, plan, imported, defined), plan, importer);
  opening.use(handle);
  const words = wordsAt();
  let from = 0;
  for (const { place, size } of plan.words) {
    words.copyInto(bytes.subarray(place, place + size), from);
    from += size;
  }
  const staticOffset = plan.staticOffsets.length > 0 ? Number(words.getBigInt64(from)) : undefined;
  const opened = opening.move();
  return { staticOffset, [Symbol.dispose]: () => opened.dispose() };
}

/** A library that is open until its handle is disposed of. */
interface OpenLibrary {
  readonly handle: Disposable;
  wordsAt(): Deno.UnsafePointerView;
}

/** @param importer Names the module in the error about a variable that no library has. */
function openInMemory(
  library: Uint8Array<ArrayBuffer>,
  plan: ThreadLocalPlan,
  importer?: ModuleIdentity,
): OpenLibrary {
  using opening = new DisposableStack();
  const linker = openDynamicLinker();
  opening.defer(() => linker[Symbol.dispose]());
  using files = new MemoryFiles();
  const handle = files.withFile(library, (path) => linker.open(path));
  if (handle === null) {
    // The reason follows the path of the library in memory, which says nothing here.
    const reason = linker.failure()?.replace(/^\S+: /, "");
    const missing = reason === undefined ? undefined : MISSING_NAME.exec(reason)?.[1];
    if (missing !== undefined && importer !== undefined) throw undefinedThreadLocals([missing], importer);
    const hint = needsStaticTls(plan)
      ? "compile with -fPIC, and without -ftls-model=initial-exec"
      : "close modules that have thread-local variables";
    throw new LoadError(
      "Unsupported",
      `Cannot provide thread-local variables: the system refuses them: ${reason}`,
      { size: plan.blocks?.size ?? 0, hint },
    );
  }
  opening.defer(() => linker.close(handle));
  return {
    handle: opening.move(),
    wordsAt: () => new Deno.UnsafePointerView(pointerTo(linker.find(handle, WORDS_NAME))),
  };
}

function writeBlocks(
  bytes: Uint8Array,
  plan: ThreadLocalPlan,
  imported: (symbol: number) => ImportedVariable,
  defined: string | undefined,
): Uint8Array<ArrayBuffer> {
  const { blocks, words, staticOffsets } = plan;
  const relocations: ElfRelocation[] = [];
  const types = TYPES[Deno.build.arch];
  const needed = new Set<string>();
  const imports: { name: string; isWeak: boolean }[] = [];
  let wordBytes = 0;
  /** The import of the module's own block, if another library has it. */
  let own: number | undefined;
  if (defined !== undefined) {
    needed.add(defined);
    own = imports.push({ name: exportedName(defined, START), isWeak: false }) - 1;
  }
  for (const word of words) {
    let symbol = own;
    if (word.imported !== undefined) {
      const { name, isWeak, libraries } = imported(word.imported);
      for (const library of libraries) needed.add(library);
      const known = imports.findIndex((other) => other.name === name);
      symbol = known >= 0 ? known : imports.push({ name, isWeak }) - 1;
    }
    relocations.push({
      offset: wordBytes,
      type: types[word.type],
      symbol,
      addend: word.offset,
    });
    wordBytes += word.size;
  }
  if (staticOffsets.length > 0) {
    // The start of the block: local-exec code counts from it.
    const type = types[RelocationType.TlsStatic64];
    relocations.push({ offset: wordBytes, type, symbol: own, addend: 0 });
    wordBytes += 8;
  }
  return writeElfLibrary(ELF_MACHINE[Deno.build.arch], {
    ...(blocks && defined === undefined && { threadLocals: { ...blocks, image: imageIn(bytes, blocks) } }),
    needed: [...needed],
    threadLocalImports: imports,
    wordBytes,
    relocations,
    needsStaticTls: needsStaticTls(plan),
  });
}

function imageIn(bytes: Uint8Array, { image: { offset, length } }: ThreadLocalBlocks): Uint8Array {
  return bytes.subarray(offset, offset + length);
}

/** Whether code of the module counts on one distance of the variables from every thread pointer. */
function needsStaticTls({ words, staticOffsets }: ThreadLocalPlan): boolean {
  return staticOffsets.length > 0 || words.some(({ type }) => type === RelocationType.TlsStatic64);
}
