/**
 * The types of a module, from the debug information of its objects. Damaged debug information costs the
 * types of its object, never the link, unless types are required.
 */
import { LoadError } from "../errors/load_error.ts";
import { collectTypes, ModuleTypes, type Roots } from "../types/dwarf/collect.ts";
import { encodeTypes } from "../types/encode.ts";
import { mergeTypes } from "../types/merge.ts";
import type { TypedAddress } from "../types/model.ts";
import type { Wanted } from "./address_readings.ts";
import { SymbolValues } from "./debug_relocations.ts";
import { debugSections, hasDebugInfo } from "./debug_sections.ts";
import type { LinkObject } from "./input.ts";
import type { Locator } from "./locate.ts";
import type { MapTypes } from "./map.ts";
import type { LinkOptions } from "./options.ts";
import { causeOf } from "./problems.ts";
import type { TypeCache } from "./type_cache.ts";
import { type RootsInput, typeRoots, wantedRoots } from "./type_roots.ts";

/** The types of a link. */
export interface LinkedTypes {
  /** The bytes of the section of types; undefined if there are no types. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  /** Facts about them for the map. */
  readonly facts: MapTypes;
}

const NO_TYPES: LinkedTypes = { bytes: undefined, facts: { count: 0, typed: 0, unreadable: [] } };

/**
 * Collects the types of all objects.
 *
 * @throws {LoadError} for `require`, if debug information is damaged, or an object that defines an
 * exported function has none.
 */
export function typesOf(
  input: RootsInput,
  option: NonNullable<LinkOptions["types"]>,
  cache?: TypeCache,
): LinkedTypes {
  if (option === "off") return NO_TYPES;
  const module = cache?.beginModule() ?? new ModuleTypes();
  const { types } = module;
  const typed = new Map<number, TypedAddress>();
  const unreadable: { object: string; reason: string }[] = [];
  for (const object of input.resolution.objects) {
    const isDescribed = hasDebugInfo(object);
    if (!isDescribed && option === "keep") continue;
    const roots = typeRoots(input, object);
    if (roots.addresses.size === 0) continue;
    const { length } = types;
    try {
      if (!isDescribed) throw undescribed(wantedRoots(object, roots));
      for (const [address, type] of readTypes(object, roots, input.locator, module, cache)) {
        if (!typed.has(address)) typed.set(address, { address, type });
      }
    } catch (error) {
      if (option === "require" || !(error instanceof LoadError)) throw locate(error, object);
      types.truncate(length);
      unreadable.push({ object: object.name, reason: causeOf(error) });
    }
  }
  if (typed.size === 0) return { bytes: undefined, facts: { ...NO_TYPES.facts, unreadable } };
  try {
    const graph = mergeTypes(types, [...typed.values()], cache?.lastMerge);
    const facts = { count: graph.types.length - 1, typed: typed.size, unreadable };
    return { bytes: encodeTypes(graph), facts };
  } catch (error) {
    if (option === "require" || !(error instanceof LoadError)) throw error;
    // A contradiction between types leads to no object: none of them is kept.
    unreadable.push({ object: "all objects", reason: causeOf(error) });
    return { bytes: undefined, facts: { ...NO_TYPES.facts, unreadable } };
  }
}

/**
 * Reads the types of an object, unless an earlier link has read them.
 *
 * @returns types by address.
 */
function readTypes(
  object: LinkObject,
  roots: Wanted,
  locator: Locator,
  module: ModuleTypes,
  cache: TypeCache | undefined,
): ReadonlyMap<number, number> {
  const known = cache?.find(object, roots, locator, module);
  if (known !== undefined) return known;
  const values = new SymbolValues(object, locator);
  const first = module.types.length;
  const typed = collectTypes(debugSections(object, values), wantedRoots(object, roots), module);
  cache?.keep(object, roots, locator, values.dependsOnLayout, module, first, typed);
  return typed;
}

function undescribed({ byName }: Roots): LoadError {
  const symbols = [...byName.keys()];
  return new LoadError("Unsupported", "Cannot keep types: the object has no debug information", {
    ...(symbols.length > 0 && { symbol: symbols[0], symbols }),
    hint:
      "compile with -g (clang and zig for Windows: -gdwarf), or link without the option `types` (--types require)",
  });
}

function locate(error: unknown, object: LinkObject): unknown {
  return error instanceof LoadError ? error.locate({ path: object.name }) : error;
}
