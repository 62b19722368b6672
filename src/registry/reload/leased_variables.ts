/**
 * Variables whose addresses the program has leased. A leased address stays that of the version that it was taken
 * from, whose memory the lease keeps; the program reads and writes there by that version's layout.
 */

import { LazyMap } from "../../os/lazy_collections.ts";
import { type Compatibility, fitOf } from "../../image/compatibility.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { Claims, type Declarations, type NameUse } from "./claims.ts";
import { findExported } from "./exports.ts";

/** The leased variables of one module. */
export class LeasedVariables {
  readonly #leased = new LazyMap<string, Claims>();

  /** Counts a lease until the result is disposed of. */
  add(name: string, declarations: Declarations): Disposable {
    let claims = this.#leased.get(name);
    if (claims === undefined) this.#leased.set(name, claims = new Claims(name));
    return claims.add(declarations);
  }

  /** The uses of the variables. */
  *uses(): Iterable<NameUse> {
    for (const [name, claims] of this.#leased) {
      for (const claim of claims) yield { name, claim, isWhole: true };
    }
  }

  /** The leased variables that a candidate lacks, or has as something else; with `allow` the lease is enough for them. */
  missing(candidate: ModuleVersion, compatibility: Compatibility): string[] {
    if (compatibility === "allow") return [];
    return [...this.#leased].filter(([name, claims]) =>
      claims.exist && fitOf({ kind: "data", size: 0 }, findExported(candidate, name)) !== "fits"
    ).map(([name]) => name);
  }
}
