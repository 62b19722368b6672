/**
 * Builds the map of a link from the results of its passes.
 */
import { SectionType } from "../smf/enums.ts";
import type { Applied } from "./apply.ts";
import type { NeededName } from "./gc.ts";
import type { LinkedDebug } from "./debug_output.ts";
import type { Entries } from "./entries.ts";
import type { MixedTables } from "./class_tables.ts";
import type { Homes } from "./homes.ts";
import type { OutputSection } from "./input.ts";
import type { Layout } from "./layout.ts";
import type {
  LinkMap,
  MapDropped,
  MapEntry,
  MapExport,
  MapLive,
  MapReference,
  MapSection,
  MapTypes,
} from "./map.ts";
import type { Resolution } from "./resolve.ts";
import { mixedTables, sharedHomes } from "./shared_homes.ts";

const KINDS: Readonly<Record<number, MapSection["kind"]>> = {
  [SectionType.Code]: "code",
  [SectionType.RoData]: "rodata",
  [SectionType.Data]: "data",
  [SectionType.Bss]: "bss",
};

/** The results of a link that its map shows. */
interface MapInput {
  readonly resolution: Resolution;
  readonly layout: Layout;
  readonly imports: ReadonlyMap<number, NeededName>;
  readonly exports: readonly MapExport[];
  readonly applied: Applied;
  readonly types: MapTypes;
  readonly debug: LinkedDebug;
  /** Whether it lists each global name with the objects that define it and refer to it. */
  readonly withReferences: boolean;
  readonly homes: Homes | undefined;
  readonly entries: Entries | undefined;
  readonly mixed: readonly MixedTables[];
  readonly live: readonly MapLive[];
}

/**
 * Builds the map. Its lists of sections are made when they are asked for, since they are as long as the inputs.
 */
export function buildMap(
  {
    resolution,
    layout,
    imports,
    exports,
    applied,
    types,
    debug,
    withReferences,
    homes,
    entries,
    mixed,
    live,
  }: MapInput,
): LinkMap {
  const { globals } = resolution;
  return {
    get sections() {
      return layout.outputs.map((output) => ({
        name: output.name,
        kind: KINDS[output.type],
        address: output.address,
        size: output.size,
        alignment: output.alignment,
        entries: entriesOf(output, layout, resolution),
      }));
    },
    get dropped() {
      return droppedOf(resolution);
    },
    members: resolution.pulled,
    exports,
    imports: [...imports].map(([id, { neededBy, weak }]) => ({
      name: globals.names.text(id),
      weak,
      neededBy: [...neededBy],
    })),
    defaultLibraries: [...resolution.requests.libraries],
    references: withReferences ? referencesOf(resolution) : [],
    live,
    types,
    debug: {
      sections: debug.sections.map(({ name, bytes }) => ({ name, size: bytes.length })),
      unreadable: debug.unreadable,
    },
    sharedHomes: sharedHomes(resolution, homes),
    unswitched: entries?.unswitched ?? [],
    mixedTables: mixedTables(mixed),
    relocations: { applied: applied.applied, kept: applied.dynamic.length },
  };
}

function entriesOf(output: OutputSection, layout: Layout, { globals }: Resolution): MapEntry[] {
  const entries: MapEntry[] = output.inputs.map((section) => ({
    object: section.object.name,
    section: section.name,
    address: output.address + section.offset,
    size: section.elf.size,
  }));
  for (const { section, offset } of layout.merged.get(output) ?? []) {
    entries.push({
      object: "(merged)",
      section: section.strings ? "strings" : `constants of ${section.entrySize} bytes`,
      address: output.address + offset,
      size: section.size,
    });
  }
  for (const [id, common] of layout.commons) {
    if (common.output !== output) continue;
    entries.push({
      object: "(common)",
      section: globals.names.text(id),
      address: output.address + common.offset,
      size: globals.commons.get(id)!.size,
    });
  }
  return entries;
}

function droppedOf({ objects }: Resolution): MapDropped[] {
  const dropped: MapDropped[] = [];
  for (const object of objects) {
    for (const section of object.sections) {
      if (section === undefined || section.output !== undefined || section.elf.size === 0) continue;
      if (section.name === ".eh_frame") continue;
      dropped.push({
        object: object.name,
        section: section.name,
        size: section.elf.size,
        reason: section.discarded ? "duplicate" : "unreachable",
      });
    }
  }
  return dropped;
}

function referencesOf({ objects, globals }: Resolution): MapReference[] {
  const users = new Map<number, Set<string>>();
  for (const object of objects) {
    for (const id of object.globals) {
      const known = users.get(id);
      if (known === undefined) users.set(id, new Set([object.name]));
      else known.add(object.name);
    }
  }
  return [...users].map(([id, names]) => {
    const name = globals.names.text(id);
    const definedBy = globals.isDefined(id) ? objects[globals.object(id)]?.name : undefined;
    const neededBy = [...names].filter((user) => user !== definedBy);
    return { name, ...(definedBy !== undefined && { definedBy }), neededBy };
  }).sort((a, b) => a.name < b.name ? -1 : 1);
}
