/**
 * `LoadError`, the one error type of the package.
 */

import { demangledMessage } from "../demangle/mod.ts";
import type { CrashFrame } from "./crash.ts";

/**
 * The kinds of errors, as words to branch on. {@linkcode LoadError.hint} says what to do about one.
 *
 * | kind | meaning |
 * |---|---|
 * | `Io` | the file cannot be opened or read, is not a regular file, or changed while it was read |
 * | `PermissionDenied` | Deno's permissions forbid it; the message names the flag |
 * | `InvalidFormat` | the bytes are not a well-formed SMF file or object; `offset` says where |
 * | `Unsupported` | well-formed, but of a kind that cannot be used here |
 * | `IncompatiblePlatform` | made for another operating system |
 * | `IncompatibleArch` | made for another processor, or needs `features` that this one lacks |
 * | `UndefinedSymbol` | a name that is needed and that nothing defines |
 * | `ForbiddenImport` | a name that `allowImports` does not let the module import |
 * | `RelocationFailed` | a relocation that cannot be applied |
 * | `OutOfMemory` | the operating system refused memory; `call`, `errno` and `size` say which |
 * | `Closed` | the module, library or registry was closed before |
 * | `Busy` | it is in use in a way that forbids the operation |
 * | `InvalidToken` | the value given to `attach` is not a token of this process |
 * | `Incompatible` | a reload or binding does not fit what is in use |
 * | `InvalidIntegrity` | an integrity string is malformed or names an unknown algorithm |
 * | `IntegrityMismatch` | the bytes are not those that the integrity string stands for |
 * | `InvalidKey` | a key for signatures is malformed, or of another algorithm than Ed25519 |
 * | `Untrusted` | no key that is trusted has signed these bytes |
 * | `Crashed` | native code crashed in this call, with `onCrash: "throw"`; `signal` (on Windows the exception), `address` and `frames` say how |
 * | `Quarantined` | the module has crashed in an earlier call |
 */
export type LoadErrorKind =
  | "Io"
  | "PermissionDenied"
  | "InvalidFormat"
  | "Unsupported"
  | "IncompatiblePlatform"
  | "IncompatibleArch"
  | "UndefinedSymbol"
  | "ForbiddenImport"
  | "RelocationFailed"
  | "OutOfMemory"
  | "Closed"
  | "Busy"
  | "InvalidToken"
  | "Incompatible"
  | "InvalidIntegrity"
  | "IntegrityMismatch"
  | "InvalidKey"
  | "Untrusted"
  | "Crashed"
  | "Quarantined";

/**
 * The next step for each kind of error, where its place knows no better one
 * ({@linkcode LoadErrorData.hint}). The documentation has the same table.
 */
export const NEXT_STEPS: Readonly<Record<LoadErrorKind, string>> = {
  Io: "check that the path names a regular file; replace a file that is in use by renaming a new one over it",
  PermissionDenied: "run again with the permission that the message names",
  InvalidFormat: "build the file again: it is damaged, or its writer has a bug",
  Unsupported: "build the module in another way",
  IncompatiblePlatform:
    "build it for the system that loads it; smf inspect FILE shows which it was built for",
  IncompatibleArch: "build it for the processor that loads it; smf inspect FILE shows which it was built for",
  UndefinedSymbol:
    "load the module that defines the name first, link its object in, or name the host library " +
    "(the option `libraries`, --library)",
  ForbiddenImport: "add the name to `allowImports` if you trust the module with it",
  RelocationFailed: "compile with -fPIC and build again; smf inspect --all FILE shows the relocations",
  OutOfMemory: "close modules, or raise the limit (ulimit -v, vm.max_map_count, hardening)",
  Closed: "load the module again, and keep a handle for as long as it is used",
  Busy: "wait until what the message names has ended; closeAsync() and `await using` do",
  InvalidToken: "post the token that share() returned, unchanged, to a Worker of the same process",
  Incompatible: "keep the exports that are in use, load the new version under another name, or reload with " +
    '`compatibility: "allow"`; smf diff OLD NEW compares',
  InvalidIntegrity: "take the string from smf hash FILE or integrityOf: sha256- and 44 characters",
  IntegrityMismatch:
    "find out why the file changed before you use it; smf hash FILE prints the string of the new one",
  InvalidKey: "smf keygen NAME makes a pair of keys, NAME.pem and NAME.pub",
  Untrusted: "ask who built it for a signed file, or add its signer's key to `trust` (--trust); " +
    "smf verify FILE names the signers",
  Crashed:
    "look at the function that `frames` names first; the module is quarantined until it is reloaded, " +
    "rolled back, or told to go on by endQuarantine()",
  Quarantined:
    "reload the module or roll it back; endQuarantine() lets calls through to the version that crashed",
};

/** The facts of a {@linkcode LoadError}; what does not apply is absent. */
export interface LoadErrorData {
  /** The module file, as it was asked for. */
  readonly path?: string;
  /** The section, by name, or by `#index` when it has none. */
  readonly section?: string;
  /** The symbol's name. */
  readonly symbol?: string;
  /** Every name concerned, where there is more than one. */
  readonly symbols?: readonly string[];
  /** Where, in bytes: a file offset for format errors, an image offset for relocations. */
  readonly offset?: number;
  /** The value that was refused. */
  readonly value?: bigint | number | string;
  /** The values that would have been accepted: from the first, up to but not including the second. */
  readonly range?: readonly [low: bigint | number, high: bigint | number];
  /** The features that the module needs and this processor lacks. */
  readonly features?: readonly string[];
  /** The commands of compilers that were looked for. `Unsupported`: none is there; `PermissionDenied`: none may be run. */
  readonly commands?: readonly string[];
  /** The integrity string or the keys that were given, or the virtual function that older objects have in a slot. */
  readonly expected?: string;
  /**
   * The integrity string of the bytes that are there, if it is known, or the keys of those who signed them, or the
   * virtual function of the new version.
   */
  readonly actual?: string;
  /** The operating system call that failed. */
  readonly call?: string;
  /** Its error number. */
  readonly errno?: number;
  /** The size in bytes that was asked of it. */
  readonly size?: number;
  /**
   * The name of what the system stopped a crash by, as its headers write it: of the signal, `SIGSEGV`. Windows has no
   * signals: there it is the name of the exception, `EXCEPTION_ACCESS_VIOLATION`, or `abort` for a call of that.
   */
  readonly signal?: string;
  /** The address that the code could not access, if there is one. */
  readonly address?: bigint;
  /** The functions on the native stack of a crash, innermost first, up to the one that JavaScript called. */
  readonly frames?: readonly CrashFrame[];
  /** The next step, where more can be said than of the kind; it is not part of the message. */
  readonly hint?: string;
}

/** Hexadecimal, the way every message writes offsets and addresses. */
export function hex(value: bigint | number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** The facts as a person reads them, most general first. */
function describe(data: LoadErrorData): string {
  const facts: string[] = [];
  if (data.path !== undefined) facts.push(`file '${data.path}'`);
  if (data.section !== undefined) facts.push(`section '${data.section}'`);
  if (data.symbol !== undefined) facts.push(`symbol '${data.symbol}'`);
  if (data.offset !== undefined) facts.push(`offset ${hex(data.offset)}`);
  if (data.value !== undefined) facts.push(`value ${data.value}`);
  if (data.range !== undefined) facts.push(`allowed [${data.range[0]}, ${data.range[1]})`);
  if (data.expected !== undefined) facts.push(`expected '${data.expected}'`);
  if (data.actual !== undefined) facts.push(`actual '${data.actual}'`);
  if (data.call !== undefined) facts.push(`call ${data.call}`);
  if (data.errno !== undefined) facts.push(`errno ${data.errno}`);
  if (data.size !== undefined) facts.push(`size ${data.size}`);
  return facts.join(", ");
}

/**
 * Everything that this package throws about a module, its file or its memory.
 *
 * The message says what is wrong and ends with the facts of
 * {@linkcode LoadError.data} in brackets; {@linkcode LoadError.hint} says what
 * to do next. Names of C++ and Rust are demangled in it, and stay as linkers see
 * them in the facts.
 *
 * @example Telling kinds apart
 * ```ts
 * import { LoadError, parseSmf } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * try {
 *   parseSmf(new Uint8Array(4));
 * } catch (error) {
 *   if (!(error instanceof LoadError)) throw error;
 *   assertEquals(error.kind, "InvalidFormat");
 *   console.error(error.hint);
 * }
 * ```
 */
export class LoadError extends Error {
  /** Always `LoadError`. */
  override readonly name = "LoadError";
  /** The kind of error, as a word to branch on. */
  readonly kind: LoadErrorKind;
  #problem: string;
  #data: LoadErrorData;

  /**
   * An error of this package's kind.
   *
   * @param kind What went wrong.
   * @param problem A sentence without the facts and without a period.
   * @param data The facts, appended to the message.
   * @param options `cause`, as for every `Error`.
   */
  constructor(kind: LoadErrorKind, problem: string, data: LoadErrorData = {}, options?: ErrorOptions) {
    super("", options);
    this.kind = kind;
    this.#problem = problem;
    this.#data = data;
    this.#compose();
  }

  /** The facts: file, section, symbol, offset, value, range, or the failed call. */
  get data(): LoadErrorData {
    return this.#data;
  }

  /**
   * The next step, as a sentence without a period: that of the problem itself
   * if there is one, else that of its kind.
   */
  get hint(): string {
    return this.#data.hint ?? NEXT_STEPS[this.kind];
  }

  /**
   * Adds facts that only an outer layer knows, such as the file's path. Facts
   * that are already there stay.
   *
   * @returns this error.
   */
  locate(data: LoadErrorData): this {
    this.#data = { ...data, ...this.#data };
    this.#compose();
    return this;
  }

  #compose(): void {
    const facts = describe(this.#data);
    const problem = demangledMessage(this.#problem);
    const message = facts === "" ? problem : `${problem} (${facts})`;
    Object.defineProperty(this, "message", { value: message, configurable: true, writable: true });
  }
}

/**
 * Takes a problem that does not stop the search for others: {@linkcode raise}
 * throws it, other reports collect.
 */
export type Report = (problem: LoadError) => void;

/** Ends everything at the first problem. */
export function raise(problem: LoadError): never {
  throw problem;
}

/** Passes over a problem: without the work that failed, there is less to say, and nothing else is wrong. */
export function ignore(): void {}

/**
 * Runs `work`; reports a {@linkcode LoadError} that leaves it.
 *
 * @returns what it returns, or `undefined` if it failed.
 */
export function attempt<T>(report: Report, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    report(error);
    return undefined;
  }
}

/**
 * Runs `work`; a {@linkcode LoadError} that leaves it knows the file's path
 * from then on.
 */
export function inFile<T>(path: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (path !== undefined && error instanceof LoadError) error.locate({ path });
    throw error;
  }
}
