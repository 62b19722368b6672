/**
 * `stub/`: makes stub libraries, shared libraries whose symbols are or jump to
 * given addresses, so that V8 calls these as fast as it calls a library.
 */

import { LoadError } from "../../errors/load_error.ts";
import { permitted } from "../../os/library.ts";
import type { CallFunction } from "../../os/pointer.ts";
import { MemoryFiles } from "../../os/memory_file.ts";
import { ELF_MACHINE, stubSymbolName, writeElfStub } from "./elf_library.ts";
import { StubFolder } from "./folder.ts";
import { writePeStub } from "./pe.ts";

/** A function that a stub library leads to. */
export interface StubTarget {
  readonly address: bigint;
  readonly definition: Deno.ForeignFunction;
}

/** An open stub library; disposing closes it. */
export interface StubLibrary extends Disposable {
  /** The fast calls, in the order of the targets. */
  readonly calls: readonly CallFunction[];
}

/** Makes stub libraries; disposing closes what it needs for that. */
export interface StubMaker extends Disposable {
  /**
   * Makes and opens a library.
   *
   * Safety: its calls must not be used after it is closed, or with arguments that
   * their definitions do not describe.
   *
   * @throws {LoadError} `PermissionDenied`, `OutOfMemory`, `Io`; `Unsupported` if the system refuses the library.
   */
  open(targets: readonly StubTarget[]): StubLibrary;
}

/**
 * The stub maker of this system.
 *
 * Platforms: Linux makes libraries in memory; Windows for x86-64 makes them in a
 * folder for temporary files, which needs `--allow-read` and `--allow-write` of it.
 *
 * @returns a reason, as a string, where no stub library can be made.
 */
export function openStubMaker(): StubMaker | string {
  return whyNoStubs() ?? (Deno.build.os === "linux" ? new ElfStubMaker() : new PeStubMaker());
}

/** The reason why no stub library can be made on this system; undefined where only trying can tell. */
export function whyNoStubs(): string | undefined {
  const { os, arch } = Deno.build;
  const can = os === "linux" || (os === "windows" && arch === "x86_64");
  return can ? undefined : `no stub library can be made on ${os} for ${arch}`;
}

/** Linux: the library is a file in memory, which is gone as soon as the library is open. */
class ElfStubMaker implements StubMaker {
  readonly #files = new MemoryFiles();

  open(targets: readonly StubTarget[]): StubLibrary {
    const bytes = writeElfStub(ELF_MACHINE[Deno.build.arch], targets.map(({ address }) => address));
    const library = this.#files.withFile(bytes, (path) => openStub(path, targets));
    return { calls: callsOf(library, targets), [Symbol.dispose]: () => library.close() };
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
  }
}

/** Windows: the library is a file in a folder, deleted when the library is closed. */
class PeStubMaker implements StubMaker {
  readonly #folder = new StubFolder();

  open(targets: readonly StubTarget[]): StubLibrary {
    const names = targets.map((_, position) => stubSymbolName(position));
    const bytes = writePeStub("smf-stub.dll", names, targets.map(({ address }) => address));
    using opening = new DisposableStack();
    const path = opening.adopt(this.#folder.write(bytes), (path) => this.#folder.remove(path));
    const library = opening.adopt(openStub(path, targets), (library) => library.close());
    const calls = callsOf(library, targets);
    const owned = opening.move();
    return { calls, [Symbol.dispose]: () => owned.dispose() };
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

type OpenStub = Deno.DynamicLibrary<Record<string, Deno.ForeignFunction>>;

/** @throws {LoadError} `PermissionDenied`; `Unsupported` if the system refuses the library. */
function openStub(path: string, targets: readonly StubTarget[]): OpenStub {
  const definitions: Record<string, Deno.ForeignFunction> = {};
  targets.forEach(({ definition }, position) => {
    const { parameters, result, nonblocking } = definition;
    definitions[stubSymbolName(position)] = nonblocking === undefined
      ? { parameters, result }
      : { parameters, result, nonblocking };
  });
  try {
    return permitted(() => Deno.dlopen(path, definitions));
  } catch (error) {
    // A TypeError is about the definitions, which are the caller's.
    if (error instanceof LoadError || error instanceof TypeError) throw error;
    throw new LoadError("Unsupported", "Cannot make stub library: the system refuses to open it", {
      path,
      hint: 'bind with callPath "pointer", which needs no stub library',
    }, { cause: error });
  }
}

function callsOf(library: OpenStub, targets: readonly StubTarget[]): CallFunction[] {
  const symbols = library.symbols as Record<string, CallFunction>;
  return targets.map((_, position) => symbols[stubSymbolName(position)]);
}

let shared: StubMaker | string | undefined;
let holders = 0;

/**
 * Keeps the isolate's stub maker, once it is open, until disposed. Without a
 * holder it is closed, so that a program leaves nothing open when it is done.
 */
export function holdStubMaker(): Disposable {
  let held = true;
  holders++;
  return {
    [Symbol.dispose](): void {
      if (!held) return;
      held = false;
      if (--holders > 0) return;
      if (typeof shared === "object") shared[Symbol.dispose]();
      shared = undefined;
    },
  };
}

/** The isolate's stub maker, or the reason why there is none; call it only while holding it. */
export function stubMaker(): StubMaker | string {
  return shared ??= openStubMaker();
}
