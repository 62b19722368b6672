/**
 * The one error type of the package. Ground floor: imports nothing.
 */

/**
 * What went wrong, as a word to branch on.
 *
 * | kind | meaning |
 * |---|---|
 * | `Io` | the file cannot be opened, read or is no regular file |
 * | `PermissionDenied` | Deno's permissions forbid it; the message names the flag |
 * | `InvalidFormat` | the bytes are not a well-formed SMF file |
 * | `Unsupported` | well-formed, but of a kind that cannot be loaded (containers, bytecode, an unknown compression) |
 * | `IncompatiblePlatform` | made for another operating system |
 * | `IncompatibleArch` | made for another processor |
 * | `UndefinedSymbol` | a name that is needed and that nobody defines |
 * | `ForbiddenImport` | a name that `allowImports` does not let a module import |
 * | `RelocationFailed` | a relocation that cannot be applied |
 * | `OutOfMemory` | the operating system refused a memory call |
 * | `Closed` | the module, library or registry was closed before |
 * | `Busy` | it is in use in a way that forbids the operation |
 * | `InvalidToken` | what was given to `attach` is no token of this process |
 * | `Incompatible` | a reload or binding that does not fit what is in use |
 * | `InvalidIntegrity` | an integrity string that is malformed or of an unknown algorithm |
 * | `IntegrityMismatch` | the file's bytes are not those that its integrity string means |
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
  | "IntegrityMismatch";

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
  /** The integrity string that was given. */
  readonly expected?: string;
  /** The integrity string of the bytes that are there, if it is known. */
  readonly actual?: string;
  /** The operating system call that failed. */
  readonly call?: string;
  /** Its error number. */
  readonly errno?: number;
  /** The size in bytes that was asked of it. */
  readonly size?: number;
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
 * The message alone is enough to act on: it ends with the facts of
 * {@linkcode LoadError.data} in brackets.
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
 * }
 * ```
 */
export class LoadError extends Error {
  /** Always `LoadError`. */
  override readonly name = "LoadError";
  /** What went wrong, as a word to branch on. */
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
    const message = facts === "" ? this.#problem : `${this.#problem} (${facts})`;
    Object.defineProperty(this, "message", { value: message, configurable: true, writable: true });
  }
}

/**
 * What becomes of a problem that does not keep the search for others from
 * going on: {@linkcode raise} ends it, others collect.
 */
export type Report = (problem: LoadError) => void;

/** Ends everything at the first problem. */
export function raise(problem: LoadError): never {
  throw problem;
}

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
