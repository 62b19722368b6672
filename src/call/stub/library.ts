/**
 * Opens stub libraries: the fast path from JavaScript to given addresses.
 */

import { LoadError } from "../../errors.ts";
import { permitted } from "../../os/library.ts";
import type { CallFunction } from "../../os/pointer.ts";
import { MemoryFiles } from "../../os/memory_file.ts";
import { ELF_MACHINE } from "./elf_library.ts";
import { stubSymbolName, writeElfStub } from "./elf.ts";
import { StubFolder } from "./folder.ts";
import { writePeStub } from "./pe.ts";

/** One function to be called: where it is and what Deno must know of it. */
export interface CallSite {
  readonly address: bigint;
  readonly definition: Deno.ForeignFunction;
}

/** An open stub library. */
export interface StubLibrary {
  /** In the order of the sites. */
  readonly calls: readonly CallFunction[];
  close(): void;
}

/** Makes stub libraries; closes what it needs for that when it is disposed. */
export interface StubMaker extends Disposable {
  open(sites: readonly CallSite[]): StubLibrary;
}

/**
 * What makes stub libraries here.
 *
 * @returns a reason, as a string, where none can be made.
 */
export function openStubMaker(): StubMaker | string {
  return whyNoStubs() ?? (Deno.build.os === "linux" ? new ElfStubMaker() : new PeStubMaker());
}

/** Why none can be made here, if that is known without trying. */
export function whyNoStubs(): string | undefined {
  const { os, arch } = Deno.build;
  const can = os === "linux" || (os === "windows" && arch === "x86_64");
  return can ? undefined : `no stub library can be made on ${os} for ${arch}`;
}

/** Linux: a file in memory, gone as soon as it is opened. */
class ElfStubMaker implements StubMaker {
  readonly #files = new MemoryFiles();

  open(sites: readonly CallSite[]): StubLibrary {
    const bytes = writeElfStub(ELF_MACHINE[Deno.build.arch], sites.map((site) => site.address));
    const library = this.#files.withFile(bytes, (path) => openStub(path, sites));
    return { calls: callsOf(library, sites), close: () => library.close() };
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
  }
}

/** Windows: a file in a folder, deleted when the library is closed. */
class PeStubMaker implements StubMaker {
  readonly #folder = new StubFolder();

  open(sites: readonly CallSite[]): StubLibrary {
    const names = sites.map((_, position) => stubSymbolName(position));
    const bytes = writePeStub("smf-stub.dll", names, sites.map((site) => site.address));
    const path = this.#folder.write(bytes);
    try {
      const library = openStub(path, sites);
      return {
        calls: callsOf(library, sites),
        close: () => {
          library.close();
          this.#folder.remove(path);
        },
      };
    } catch (error) {
      this.#folder.remove(path);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

type OpenStub = Deno.DynamicLibrary<Record<string, Deno.ForeignFunction>>;

/** @throws {LoadError} `PermissionDenied`; `Unsupported` if the system does not accept such a library. */
function openStub(path: string, sites: readonly CallSite[]): OpenStub {
  const definitions: Record<string, Deno.ForeignFunction> = {};
  sites.forEach(({ definition }, position) => {
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
    throw new LoadError("Unsupported", "Cannot make stub library: the system does not open it", { path }, {
      cause: error,
    });
  }
}

function callsOf(library: OpenStub, sites: readonly CallSite[]): CallFunction[] {
  const symbols = library.symbols as Record<string, CallFunction>;
  return sites.map((_, position) => symbols[stubSymbolName(position)]);
}

let shared: StubMaker | string | undefined;
let holders = 0;

/**
 * Keeps the isolate's stub maker, once it is open, until disposed. Without a
 * holder it is closed, so that nothing stays open behind a program that is done.
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

/** The isolate's stub maker; call it only while holding it. */
export function stubMaker(): StubMaker | string {
  return shared ??= openStubMaker();
}
