/**
 * The types of a module, from the debug information of its objects. Damaged debug information costs the
 * types of its object, never the link, unless types are required.
 */
import { LoadError } from "../errors/load_error.ts";
import { SymbolKind } from "../os/elf.ts";
import { SectionType } from "../smf/enums.ts";
import { collectTypes, ModuleTypes, type Roots } from "../types/dwarf/collect.ts";
import { encodeTypes } from "../types/encode.ts";
import { mergeTypes } from "../types/merge.ts";
import type { TypedAddress } from "../types/model.ts";
import { debugSections, hasDebugInfo } from "./debug_sections.ts";
import type { LinkObject } from "./input.ts";
import type { Entries } from "./entries.ts";
import { Found, type Locator } from "./locate.ts";
import type { MapTypes } from "./map.ts";
import type { LinkOptions } from "./options.ts";
import { causeOf } from "./problems.ts";
import type { Resolution } from "./resolve.ts";

/** The parts of a link that types need. */
export interface TypesInput {
  readonly resolution: Resolution;
  readonly locator: Locator;
  /** The name numbers of exports. */
  readonly exported: ReadonlySet<number>;
  /** The functions that reloads switch; undefined if the module is not hot. */
  readonly entries: Entries | undefined;
  /** Whether a reload may keep thread-local variables, too. */
  readonly isReloadable: boolean;
}

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
export function typesOf(input: TypesInput, option: NonNullable<LinkOptions["types"]>): LinkedTypes {
  if (option === "off") return NO_TYPES;
  const module = new ModuleTypes();
  const { types } = module;
  const typed = new Map<number, TypedAddress>();
  const unreadable: { object: string; reason: string }[] = [];
  for (const object of input.resolution.objects) {
    const isDescribed = hasDebugInfo(object);
    if (!isDescribed && option === "keep") continue;
    const roots = rootsOf(input, object);
    if (roots.addresses.size === 0) continue;
    const { length } = types;
    try {
      if (!isDescribed) throw undescribed(roots);
      for (const one of collectTypes(debugSections(object, input.locator), roots, module)) {
        if (!typed.has(one.address)) typed.set(one.address, one);
      }
    } catch (error) {
      if (option === "require" || !(error instanceof LoadError)) throw locate(error, object);
      types.truncate(length);
      unreadable.push({ object: object.name, reason: causeOf(error) });
    }
  }
  if (typed.size === 0) return { bytes: undefined, facts: { ...NO_TYPES.facts, unreadable } };
  try {
    const graph = mergeTypes(types, [...typed.values()]);
    const facts = { count: graph.types.length - 1, typed: typed.size, unreadable };
    return { bytes: encodeTypes(graph), facts };
  } catch (error) {
    if (option === "require" || !(error instanceof LoadError)) throw error;
    // A contradiction between types leads to no object: none of them is kept.
    unreadable.push({ object: "all objects", reason: causeOf(error) });
    return { bytes: undefined, facts: { ...NO_TYPES.facts, unreadable } };
  }
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

/** Finds the exports, entries and writable variables that an object defines. */
function rootsOf(
  { resolution, locator, exported, entries, isReloadable }: TypesInput,
  object: LinkObject,
): Roots {
  const { symbols } = object.elf;
  const { globals } = resolution;
  const addresses = new Set<number>();
  const byName = new Map<string, number>();
  for (let i = 1; i < symbols.length; i++) {
    const kind = symbols.kind(i);
    const id = object.globalOf(i);
    const isThreadLocal = kind === SymbolKind.TLS;
    if (isThreadLocal && !isReloadable || kind === SymbolKind.SECTION || kind === SymbolKind.FILE) continue;
    if (
      id === -1
        ? !isThreadLocal && kind !== SymbolKind.OBJECT && entries?.ofLocal(object, i) === undefined
        : globals.object(id) !== object.index || globals.symbol(id) !== i
    ) {
      continue;
    }
    if (id === -1) locator.symbol(object, i, 0);
    else if (globals.isDefined(id)) locator.global(id);
    else continue;
    if (locator.found !== Found.DEFINED) continue;
    const { output, offset } = locator;
    const isEntry = (id === -1 ? entries?.ofLocal(object, i) : entries?.ofName(id)) !== undefined;
    const isExported = !isThreadLocal && (id !== -1 && exported.has(id) || isEntry);
    if (
      !isExported && !isThreadLocal && output.type !== SectionType.Data && output.type !== SectionType.Bss
    ) continue;
    addresses.add(output.address + offset);
    if (isExported) byName.set(symbols.name(i), output.address + offset);
  }
  return { addresses, byName };
}
