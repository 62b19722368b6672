/**
 * Claims: who uses a name of a module, and for which declarations of it the use was made.
 */

import type { PlannedFile } from "../../image/compatibility.ts";
import type { LoadedImage } from "../../load/loader.ts";
import type { LazySet } from "../../os/lazy_collections.ts";
import type { KeptTypes } from "../../smf/kept_types.ts";

/** The file and the types of one version, which uses may outlive; nothing in it leads to the version. */
export interface Declarations extends PlannedFile, Pick<LoadedImage, "entries"> {
  readonly types: KeptTypes | undefined;
  /** Names the module in errors. */
  readonly description: string;
}

const known = new WeakMap<LoadedImage, Declarations>();

/** Returns the declarations of a version: the same object each time. */
export function declarationsOf(image: LoadedImage): Declarations {
  let declarations = known.get(image);
  if (declarations === undefined) {
    const { file, plan, entries, types, identity: { description } } = image;
    declarations = { file, plan, entries, types, description };
    known.set(image, declarations);
  }
  return declarations;
}

/** The uses of a name that were made for the same declarations. */
export interface Claim {
  /** Those of the version that they were made for, and of later ones that a reload let differ. */
  readonly suits: Declarations[];
  /** The number of uses. */
  count: number;
}

/** The names that are in use; some of them no longer are. */
export type ClaimedNames = Pick<LazySet<Claims>, "add">;

/** The uses of one name. */
export class Claims implements Iterable<Claim> {
  readonly name: string;
  readonly #claims: Claim[] = [];
  readonly #claimed: ClaimedNames | undefined;

  /** @param claimed Told of the first use: few of many names are in use. */
  constructor(name: string, claimed?: ClaimedNames) {
    this.name = name;
    this.#claimed = claimed;
  }

  /** Whether anybody uses the name. */
  get exist(): boolean {
    return this.#claims.length > 0;
  }

  /** Adds a use of the name as a version declares it, until the result is disposed of. */
  add(declarations: Declarations): Disposable {
    let claim = this.#claims.find(({ suits }) => suits.length === 1 && suits[0] === declarations);
    if (claim === undefined) {
      this.#claims.push(claim = { suits: [declarations], count: 0 });
      if (this.#claims.length === 1) this.#claimed?.add(this);
    }
    claim.count++;
    return releasing(this.#claims, claim);
  }

  [Symbol.iterator](): Iterator<Claim> {
    return this.#claims.values();
  }
}

function releasing(claims: Claim[], claim: Claim): Disposable {
  let isReleased = false;
  return {
    [Symbol.dispose](): void {
      if (isReleased) return;
      isReleased = true;
      if (--claim.count === 0) claims.splice(claims.indexOf(claim), 1);
    },
  };
}

/** A use of a name, as reloads compare it. */
export interface NameUse {
  readonly name: string;
  readonly claim: Pick<Claim, "suits">;
  /** Whether code or an address depends on the whole layout of a variable, not only on a number's kind. */
  readonly isWhole: boolean;
}
