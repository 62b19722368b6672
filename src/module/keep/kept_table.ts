/**
 * The part of a report that says what became of tables of C++ classes.
 */

/** Reports on a table of a C++ class that a hot module has a home for. */
export interface KeptTable {
  /** The mangled name: `_ZTV` of a virtual table, `_ZTI` of type information. */
  readonly name: string;
  /** Whether it stays where it is, got further virtual functions there, or is the new version's own. */
  readonly fate: "kept" | "appended" | "fresh";
  /** The number of virtual functions that were appended. */
  readonly appended: number;
  /** The number of virtual functions that later versions can append; 0 for type information. */
  readonly spare: number;
  /** Why it is the new version's own. */
  readonly reason?: string;
}
