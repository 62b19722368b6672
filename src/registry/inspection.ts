/**
 * The state of a registry as plain facts: its modules, their versions, who holds
 * them, and their memory.
 */

import { Raw, showAs, shownAddress, shownSize } from "../os/inspection.ts";
import type { LoadedImage } from "../load/loader.ts";
import type { Lifetime } from "../module/lifetime.ts";
import type { ModuleVersion } from "../module/version.ts";
import type { Catalog } from "./catalog.ts";

/** A version of a module that is in memory. */
export interface InspectedVersion {
  /** Counts the versions of the module from 1; undefined for one that has been replaced and is not kept. */
  readonly version: number | undefined;
  /** Whether live functions and importers run this version. */
  readonly current: boolean;
  /** `open`; or what follows once calls throw: `revoked`, `draining`, and `freed` for one that stays mapped. */
  readonly state: "open" | "revoked" | "draining" | "freed";
  /** The start of its memory. */
  readonly address: bigint;
  /** The size of its memory in bytes, without code that was given back. */
  readonly size: number;
  /** The bytes of its code; 0 if that was given back, and only variables and constants are there. */
  readonly codeSize: number;
  /** Everything that needs it beside its handles. */
  readonly holders: readonly string[];
}

/** A module of a registry. */
export interface InspectedModule {
  /** The path that was asked for, or the name that was given for bytes. */
  readonly path: string;
  /** The versions that are in memory, oldest first. */
  readonly versions: readonly InspectedVersion[];
}

/** The state of a registry at one moment. */
export interface RegistryInspection {
  /** The modules in load order. */
  readonly modules: readonly InspectedModule[];
  /** Versions of modules that are not in the registry any more and whose memory something still needs. */
  readonly ended: readonly InspectedVersion[];
  /** The bytes that all of them take. */
  readonly size: number;
}

/** Describes all modules of a registry. */
export function inspectCatalog(catalog: Catalog): RegistryInspection {
  const left = new Map(catalog.images());
  const modules = [...catalog.entries()].map(({ exports, history, lifetimes }): InspectedModule => {
    const known = new Map([...history, exports.version].map((version) => [version.lifetime, version]));
    const versions = [...lifetimes].flatMap((lifetime) => {
      const image = left.get(lifetime);
      left.delete(lifetime);
      return image === undefined ? [] : [inspected(lifetime, image, exports.version, known.get(lifetime))];
    });
    return { path: exports.version.path, versions };
  });
  const ended = [...left].map(([lifetime, image]) => inspected(lifetime, image));
  const all = [...modules.flatMap(({ versions }) => versions), ...ended];
  const shown = { modules, ended, size: all.reduce((sum, { size }) => sum + size, 0) };
  showAs(shown, "", ({ size, ...facts }) => ({ ...facts, size: shownSize(size) }));
  return shown;
}

function inspected(
  lifetime: Lifetime,
  { memory: { address, size: whole }, plan: { code }, hasLeftCode }: LoadedImage,
  current?: ModuleVersion,
  version?: ModuleVersion,
): InspectedVersion {
  const codeSize = hasLeftCode === true ? 0 : code.length;
  const size = whole - code.length + codeSize;
  const shown = {
    version: version?.number,
    current: version !== undefined && version === current,
    state: lifetime.state,
    address,
    size,
    codeSize,
    holders: lifetime.describeHolders(),
  };
  showAs(shown, "", ({ address, size, codeSize, ...facts }) => ({
    ...facts,
    address: shownAddress(address),
    size: shownSize(size),
    codeSize: shownSize(codeSize),
  }));
  return shown;
}

/** A registry's state as `console.log` shows it: a line for each version, by module. */
export function shownRegistry({ modules, ended, size }: RegistryInspection): unknown {
  return {
    ...Object.fromEntries(modules.map(({ path, versions }) => [path, versions.map(lineOf)])),
    ...(ended.length > 0 && { "(ended)": ended.map(lineOf) }),
    memory: shownSize(size),
  };
}

function lineOf({ version, current, state, address, size, codeSize, holders }: InspectedVersion): Raw {
  const name = version === undefined ? "a replaced version" : `version ${version}`;
  const left = codeSize === 0 ? " without code" : "";
  const held = holders.length === 0 ? "" : `, held by ${holders.join(", ")}`;
  return new Raw(
    `${name}${current ? " (current)" : ""}: ${state}, ${shownSize(size).text}${left} at ${
      shownAddress(address).text
    }${held}`,
  );
}
