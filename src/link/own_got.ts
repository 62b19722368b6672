/**
 * References to the linker's own GOT, by code of the medium and large models and of AArch64's -fpic.
 */
import { IMAGE_PAGE } from "../smf/offsets.ts";
import type { RelocationRule } from "./arch/arch.ts";
import type { LinkObject, Location } from "./input.ts";
import type { Layout } from "./layout.ts";
import { Found, type Locator } from "./locate.ts";

/**
 * Returns where a reference leads, for the symbol that the locator found: the start of the GOT, a
 * slot, a stub, or the symbol itself; undefined if it has to be in this module and is not.
 */
export function ownGotTarget(
  { got: use }: RelocationRule,
  { got, plt }: Layout,
  locator: Locator,
  object: LinkObject,
  symbol: number,
): Location | undefined {
  if (use === "start") return { output: got.output!, offset: 0 };
  if (use === "slot" || use === "page") {
    const { output, offset } = got.get(object, symbol)!;
    return { output: output!, offset };
  }
  if (use === "stub" && locator.found === Found.IMPORT) return plt.stub(object.globalOf(symbol));
  return locator.found === Found.DEFINED ? { output: locator.output, offset: locator.offset } : undefined;
}

/** Whether a reference is a distance from the patched place, rather than from the start of the GOT. */
export function countsFromPlace({ got, fromPlace }: RelocationRule): boolean {
  return got === "start" || fromPlace === true;
}

/** Returns the address from which a reference counts. */
export function ownGotBase({ got: use }: RelocationRule, { got }: Layout): number {
  const { address } = got.output!;
  return use === "page" ? address - address % IMAGE_PAGE : address;
}
