/**
 * The protocol of a reload. Everything that a reload concerns is a participant, which is one file and takes the
 * steps that it needs; each step is taken by all participants before the next begins.
 *
 * | step    | work                                                                       | may fail | code of the module or the user runs |
 * | ------- | -------------------------------------------------------------------------- | -------- | ----------------------------------- |
 * | plan    | what can be known before code of the candidate runs                        | yes      | its initialisers, afterwards        |
 * | check   | refuses a candidate that does not fit                                      | yes      | no                                  |
 * | move    | gives it the state of the version before                                   | yes      | no                                  |
 * | migrate | moves what only the user can                                               | yes      | yes                                 |
 * | verify  | tries it out                                                               | yes      | yes                                 |
 * | prepare | gets ready; whatever has been checked may have changed meanwhile           | yes      | no                                  |
 * | commit  | makes it the version that serves; in the reverse order of the participants | no       | no                                  |
 * | drain   | lets go of the version before                                              | no       | no                                  |
 * | serve   | what happens once all modules are committed and drained                    | yes      | yes                                 |
 *
 * Each deed of a step before the commit is also entered in one stack of undo, which is unwound from the newest entry
 * on if a later step of any participant fails. Frames, blocks of thread-local variables and what debuggers are
 * told belong to a version's memory: loading brings them, and they go with it.
 */

import type { CarryReport } from "../../module/carry.ts";
import type { PointedImage } from "../../module/version.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { LoadedImage } from "../../load/loader.ts";
import type { CallPath } from "../../call/path.ts";
import type { Catalog, Entry } from "../catalog.ts";
import type { ReplacedCode } from "./replaced_code.ts";
import type { ReloadTakeover } from "./takeover.ts";

/** A module to reload, and how. */
export interface Replacement {
  readonly entry: Entry;
  readonly options: ReloadTakeover;
}

/** A module on its way to its next version, as its participants see it. */
export interface Takeover extends Replacement {
  /** The version that served when the reload began. */
  readonly previous: ModuleVersion;
  readonly candidate: ModuleVersion;
  /** Whether the candidate is an earlier version. */
  readonly isRollback: boolean;
  /** Whether code of the user will run before the commit. */
  readonly runsCode: boolean;
  /** The modules that take over together, this one included. */
  readonly together: readonly Entry[];
  /** Undoes everything if a step before the commit fails. */
  readonly undo: DisposableStack;
  /** The fate of variables, once they have moved. */
  fate: "fresh" | "carry" | "keep";
  /** The report on variables, once they have moved; undefined if they start anew. */
  report: CarryReport | undefined;
  /** The versions that must stay for the candidate's variables, once it is prepared. */
  pointed: readonly PointedImage[];
  /** The addresses that the candidate's words will have of its functions, by their symbols, once they are prepared; 0 for others. */
  canonical: Float64Array;
}

/** One concern of one module in one reload. Errors are {@linkcode LoadError}s, and what the user's code throws. */
export interface Participant {
  /** An address that the candidate should lie near. */
  readonly near?: bigint | undefined;
  /** The step before the initialisers of a candidate run that is loaded; not for one that a rollback goes back to. */
  plan?(image: LoadedImage): void;
  check?(takeover: Takeover): void;
  move?(takeover: Takeover): void;
  migrate?(takeover: Takeover): void;
  verify?(takeover: Takeover): void;
  prepare?(takeover: Takeover): void;
  commit?(takeover: Takeover): void;
  drain?(takeover: Takeover): void;
  serve?(takeover: Takeover): void;
}

/** The parts of a registry that participants need. */
export interface ReloadContext {
  readonly catalog: Catalog;
  readonly callPath: CallPath;
  readonly codes: ReplacedCode;
}

/** Makes the participants of a module's reload, in their order. */
export type Participants = (replacement: Replacement) => readonly Participant[];
