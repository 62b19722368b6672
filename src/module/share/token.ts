/**
 * Tokens, which one isolate posts to another so that it can use the same module:
 * everything that finding and calling its symbols takes, and proof that the
 * token comes from this process.
 */

import { processSecret } from "../../os/process.ts";
import { LoadError } from "../../errors/load_error.ts";
import type { SlotCounts } from "../../image/arrange.ts";
import type { ImportRecord } from "../../load/imports/resolve.ts";
import { xxh32 } from "../../smf/hash.ts";
import type { Home } from "../../smf/homes.ts";
import type { SmfHeader } from "../../smf/header.ts";
import type { TypeFacts } from "../../smf/kept_types.ts";
import type { SmfSection } from "../../smf/section.ts";
import type { SymbolTableSource } from "../../smf/symbol.ts";
import { SealedFacts } from "./facts.ts";
import { bufferId, ID, isControl } from "./words.ts";

/** The facts about a loaded module that another isolate of this process needs. */
export interface SharedModule {
  readonly path: string;
  readonly version: number;
  readonly address: bigint;
  readonly size: number;
  readonly pageSize: number;
  readonly slots: SlotCounts;
  readonly header: SmfHeader;
  readonly sections: readonly SmfSection[];
  /** The symbol table and its names, as in the file; the header has their layout. */
  readonly symbols: Omit<SymbolTableSource, "layout">;
  readonly imports: readonly ImportRecord[];
  /** The homes of its variables and the addresses of those that are in the memory of earlier versions; absent if none is. */
  readonly homes?:
    | { readonly all: readonly Home[]; readonly addresses: readonly (bigint | undefined)[] }
    | undefined;
  /** The types that it keeps; undefined if it keeps none. */
  readonly types: TypeFacts | undefined;
  /** The canonical addresses of exported functions; empty if those are the addresses of their code. */
  readonly canonical: readonly CanonicalAddress[];
}

/** The address of an exported function as everybody sees it. */
export interface CanonicalAddress {
  readonly name: string;
  readonly address: bigint;
}

/**
 * Lets another isolate attach to a module by {@linkcode LoadedModule.attach}:
 * made by `share()`, carried by `postMessage`, valid in this process only and
 * for as long as the module is open.
 */
export interface ModuleToken {
  /** Tells tokens from other objects. */
  readonly kind: "@simple/loader module";
  /** The memory by which the module's isolates agree when it may be freed. */
  readonly control: SharedArrayBuffer;
  /** The facts about the module; opaque. */
  readonly module: unknown;
  /** Proves that the facts are unchanged and come from this process. */
  readonly seal: bigint;
}

/** The facts about live functions that another isolate of this process needs. */
export interface SharedLive {
  readonly path: string;
  readonly tablePointer: bigint;
  /** The words by which isolates claim exports; see `claims.ts`. */
  readonly claims: SharedArrayBuffer;
  /** The types of the version that was current; undefined if it keeps none. */
  readonly types: TypeFacts | undefined;
  /** All exports. */
  readonly slots: readonly {
    readonly name: string;
    readonly index: number;
    readonly kind: "function" | "data";
    readonly address: bigint;
    /** The bytes that every version provides once the export is claimed. */
    readonly size: number;
    /** The variable's size in bytes; 0 if that is not known. */
    readonly symbolSize: number;
    /** The offset in the image by which its type is found; undefined if it has none. */
    readonly typedAt: number | undefined;
  }[];
}

/**
 * Lets another isolate attach to live functions by {@linkcode LiveLibrary.attach}:
 * made by `share()`, carried by `postMessage`, valid in this process only and
 * for as long as the module is open.
 */
export interface LiveToken {
  /** Tells tokens from other objects. */
  readonly kind: "@simple/loader live";
  /** The memory by which the module's isolates agree when it may be freed. */
  readonly control: SharedArrayBuffer;
  /** The facts about the functions; opaque. */
  readonly module: unknown;
  /** Proves that the facts are unchanged and come from this process. */
  readonly seal: bigint;
}

const MODULE_KIND = "@simple/loader module";
const LIVE_KIND = "@simple/loader live";

/** Seals the facts about a module into a token. */
export function sealToken(module: SharedModule, control: SharedArrayBuffer): ModuleToken {
  return { kind: MODULE_KIND, control, module, seal: seal(MODULE_KIND, new SealedFacts(module), control) };
}

/** Seals the facts about live functions into a token. */
export function sealLiveToken(module: SharedLive, control: SharedArrayBuffer): LiveToken {
  return { kind: LIVE_KIND, control, module, seal: seal(LIVE_KIND, new SealedFacts(module), control) };
}

/**
 * Checks a module's token and opens it.
 *
 * @throws {LoadError} `InvalidToken` if it was not made by `share()` in this process.
 */
export function openToken(token: unknown): { module: SharedModule; control: SharedArrayBuffer } {
  const { module, control } = open(token, MODULE_KIND);
  return { module: module as SharedModule, control };
}

/**
 * Checks a token of live functions and opens it.
 *
 * @throws {LoadError} `InvalidToken` if it was not made by `share()` in this process.
 */
export function openLiveToken(token: unknown): { module: SharedLive; control: SharedArrayBuffer } {
  const { module, control } = open(token, LIVE_KIND);
  return { module: module as SharedLive, control };
}

function open(token: unknown, expected: string): { module: object; control: SharedArrayBuffer } {
  const { kind, control, module, seal: found } = (token ?? {}) as Partial<ModuleToken | LiveToken>;
  const notAToken = "Cannot attach module: the value is not a token made by share()";
  if (kind !== expected || !isControl(control) || typeof module !== "object" || module === null) {
    throw new LoadError("InvalidToken", notAToken);
  }
  // Each field is read once: the copy that the seal fits is the one that is used.
  const facts = new SealedFacts(module);
  if (facts.copy === undefined) throw new LoadError("InvalidToken", notAToken);
  if (found !== seal(expected, facts, control)) {
    throw new LoadError(
      "InvalidToken",
      "Cannot attach module: its token is changed or comes from another process",
    );
  }
  return { module: facts.copy as object, control };
}

/** Hashes all facts and the control block's number to 64 bits, keyed by a secret of this process. */
function seal(kind: string, { text, tables }: SealedFacts, control: SharedArrayBuffer): bigint {
  const parts = [new TextEncoder().encode(`${kind} ${bufferId(control, ID)} ${text}`), ...tables];
  const keyed = (key: bigint): bigint => {
    let hash = Number(key & 0xffff_ffffn);
    for (const part of parts) hash = xxh32(part, hash);
    return BigInt(hash);
  };
  const secret = processSecret();
  return keyed(secret) << 32n | keyed(secret >> 32n);
}
