/**
 * Gives the code of replaced versions back whose variables stay: their memory is needed for as long as the module
 * lives, but their code only until it is known that nobody is in it, and that nobody can come to it.
 *
 * Nobody can come to it if all addresses of functions that anybody may have are those of entries
 * ({@linkcode whyCodeStays}), and no entry leads there. Nobody is in it if no call is in flight, and no stack of any
 * thread has a return address of it. So no code may be loaded that switches between stacks of its own.
 */

import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { type CodeRange, findThreads } from "../../load/runtime/threads.ts";
import { attempt, ignore } from "../../errors/load_error.ts";
import { type EarlyCode, hasRegistered, whyCodeStays } from "../../module/keep/code_addresses.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { Catalog } from "../catalog.ts";
import { withdrawFromDebuggers } from "../debugging.ts";
import type { StableExports } from "./stable_exports.ts";

/** Functions that leave a stack for another one, or that find any function by its name. */
const STACK_SWITCHERS =
  /^(?:(?:make|swap|set|get)context|_*(?:sig)?(?:set|long)jmp(?:_chk)?|dlm?open|dlv?sym)(?:@.*)?$/;

/** The C library's parts, and the support libraries of compilers. */
const SYSTEM_LIBRARY =
  /^library '(?:[^']*\/)?(?:ld-linux[^/']*|lib(?:c|m|dl|rt|pthread|gcc_s|stdc\+\+|c\+\+|c\+\+abi|unwind)\.so[^/']*)'$/;

/** The sources of imports whose code is known not to switch stacks: other modules are looked at for themselves. */
const KNOWN_SOURCE = /^(?:module '.*'|the loader|the C library|nobody)$/s;

/** Says why frames of code that an image calls may be on a stack of their own; undefined if they are not. */
function whyStacksAreUnknown({ imports, identity: { description } }: LoadedImage): string | undefined {
  const switcher = imports.find(({ name }) => STACK_SWITCHERS.test(name));
  if (switcher !== undefined) return `${description} imports '${switcher.name}', which may switch stacks`;
  const unknown = imports.find(({ from, address }) =>
    address !== 0n && !KNOWN_SOURCE.test(from) && !SYSTEM_LIBRARY.test(from)
  );
  if (unknown === undefined) return undefined;
  return `${description} calls '${unknown.name}' of ${unknown.from}, which may switch stacks`;
}

/** A version whose code may go. */
interface Replaced {
  readonly exports: StableExports;
  readonly lifetime: Lifetime;
  readonly image: PlacedImage;
}

/** The code of a registry's replaced versions. */
export class ReplacedCode {
  readonly #catalog: Catalog;
  readonly #examined = new WeakSet<LoadedImage>();
  /** Why nobody knows all stacks; once something is loaded, its stacks may stay for ever. */
  #unknownStacks: string | undefined;
  /** Whether this system tells where threads are; undefined before it was asked. */
  #knowsThreads: boolean | undefined;
  readonly #early = new WeakMap<LoadedImage, EarlyCode>();
  readonly #reasons = new WeakMap<LoadedImage, string | undefined>();
  /** Versions whose code nobody needs, as far as holders tell. */
  #waiting: Replaced[] = [];

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Looks at a version that is about to run, and at everything that is loaded. */
  examine(candidate: LoadedImage): void {
    this.#examine(candidate);
    for (const [, image] of this.#catalog.images()) this.#examine(image);
  }

  #examine(image: LoadedImage): void {
    if (this.#unknownStacks !== undefined || this.#examined.has(image)) return;
    this.#examined.add(image);
    this.#unknownStacks = whyStacksAreUnknown(image);
  }

  /** Remembers that code of a candidate ran, or may have, before it served. */
  ranEarly(candidate: LoadedImage, wasCalled: boolean): void {
    wasCalled ||= this.#early.get(candidate)?.wasCalled === true;
    this.#early.set(candidate, { wasCalled, wasCandidate: true });
  }

  /** Says why the code of a version stays once it has been replaced; undefined if it goes when nobody is in it. */
  whyStays({ image, lifetime }: Pick<Replaced, "image" | "lifetime">): string | undefined {
    if (lifetime.staysMapped) return "the module is pinned, or calls in it were lost";
    if (this.#unknownStacks !== undefined) return this.#unknownStacks;
    if (!this.#reasons.has(image)) {
      const early = this.#early.get(image) ?? { wasCalled: false, wasCandidate: false };
      this.#reasons.set(image, whyCodeStays(image, early));
    }
    const own = this.#reasons.get(image);
    if (own !== undefined) return own;
    if (image.allocator.discard === undefined) return "its allocator cannot give pages back";
    this.#knowsThreads ??= findThreads([codeRange(image)]) !== undefined;
    return this.#knowsThreads ? undefined : "this system does not tell where threads are";
  }

  /** Gives the code of a replaced version back once nothing but its variables keeps it, and nobody is in it. */
  release(exports: StableExports, { lifetime, image }: ModuleVersion): void {
    lifetime.vacated = vacater(new WeakRef(this), new WeakRef(exports), lifetime, image as PlacedImage);
  }

  /** Takes a version whose code nobody needs: it was replaced, and is not kept. */
  add(replaced: Replaced): void {
    const { image } = replaced;
    if (image.hasLeftCode || this.#waiting.some((waiting) => waiting.image === image)) return;
    this.#waiting.push(replaced);
  }

  /** Gives back what has been waiting, as far as that is possible now. */
  retry(): void {
    this.#waiting = this.#waiting.filter((each) =>
      !each.lifetime.isFreed && this.whyStays(each) === undefined && !hasRegistered(each.image)
    );

    const ready = this.#waiting.filter(({ exports, lifetime }) =>
      lifetime.isOnlyShared && !exports.leadsInto(lifetime)
    );
    if (ready.length === 0) return;

    const found = findThreads(ready.map(({ image }) => codeRange(image)));
    ready.forEach((each, index) => {
      if (found?.[index] === false) giveBack(each);
    });
    this.#waiting = this.#waiting.filter(({ image }) => !image.hasLeftCode);
  }
}

/** Made outside the class: what a lifetime keeps must not lead to the registry, and from there to the version. */
function vacater(
  codes: WeakRef<ReplacedCode>,
  exported: WeakRef<StableExports>,
  lifetime: Lifetime,
  image: PlacedImage,
): () => void {
  return () => {
    const exports = exported.deref();
    if (exports !== undefined) codes.deref()?.add({ exports, lifetime, image });
  };
}

function codeRange({ memory, plan: { code } }: PlacedImage): CodeRange {
  return { address: memory.address + BigInt(code.offset), size: code.length };
}

/** If the system refuses, the next reload tries again. */
function giveBack({ image }: Replaced): void {
  const { allocator, memory, plan: { code } } = image;
  if (code.length === 0) return;
  attempt(ignore, () => {
    allocator.discard!(memory, code.offset, code.length);
    image.hasLeftCode = true;
  });
  if (!image.hasLeftCode) return;
  // A breakpoint would be a write into it.
  withdrawFromDebuggers(image);
  // Both are mostly about code; the types of variables that stay can be decoded again.
  image.debug = undefined;
  image.types?.forget();
  image.identity.trace?.({ kind: "free", size: code.length });
}
