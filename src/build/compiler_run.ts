/**
 * The inputs of one run of a compiler.
 */
import type { Target } from "./targets.ts";

/** The files that one run of a compiler reads and writes. */
export interface CompileFiles {
  /** The source, as messages name it. */
  readonly source: string;
  /** The object to write. */
  readonly object: string;
  /** The archive to write besides, of Rust alone. */
  readonly archive: string;
  /** The list of files that were read. */
  readonly dependencies: string;
  /** A folder for the compiler's own cache. */
  readonly cache: string;
}

/** The flags of the caller. */
export interface CompileFlags {
  /** The system to compile for, if it is not this one. */
  readonly target?: Target;
  readonly flags: readonly string[];
  /** Whether messages have the escape sequences of terminals. */
  readonly color: boolean;
}
