/**
 * Opens stub libraries: the fast path from JavaScript to given addresses.
 */

import { permitted } from "../memory/library.ts";
import type { CallFunction } from "./gate.ts";
import { MemoryFiles } from "./memory_file.ts";
import { ELF_MACHINE, stubSymbolName, writeElfStub } from "./stub_elf.ts";

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
  if (Deno.build.os !== "linux") return `no stub library can be made on ${Deno.build.os}`;
  return new ElfStubMaker();
}

class ElfStubMaker implements StubMaker {
  readonly #files = new MemoryFiles();

  open(sites: readonly CallSite[]): StubLibrary {
    const bytes = writeElfStub(ELF_MACHINE[Deno.build.arch], sites.map((site) => site.address));
    const definitions: Record<string, Deno.ForeignFunction> = {};
    sites.forEach(({ definition }, position) => {
      const { parameters, result, nonblocking } = definition;
      definitions[stubSymbolName(position)] = nonblocking === undefined
        ? { parameters, result }
        : { parameters, result, nonblocking };
    });
    const library = this.#files.withFile(bytes, (path) => permitted(() => Deno.dlopen(path, definitions)));
    const symbols = library.symbols as Record<string, CallFunction>;
    return {
      calls: sites.map((_, position) => symbols[stubSymbolName(position)]),
      close: () => library.close(),
    };
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
  }
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
