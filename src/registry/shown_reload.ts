/**
 * Shows a reload's report and a watch's events to `console.log`: what there is to say, rounded and with names as
 * sources write them.
 */

import { demangledVariable } from "../demangle/mod.ts";
import { Raw, showAs, shownAddress, shownSize } from "../os/inspection.ts";
import type { CarryReport } from "../module/carry.ts";
import type { WatchEvent } from "./watch/options.ts";

/** Has a report show only its lists that are not empty, and of tables of classes those that are not as before. */
export function showReport(report: CarryReport): CarryReport {
  showAs(report, "CarryReport", ({ unused, replacedCode, oldPointers, tables, ...lists }) => ({
    ...Object.fromEntries(
      Object.entries({ ...lists, tables: tables.filter(({ fate }) => fate !== "kept") })
        .filter(([, list]) => list.length > 0)
        .map(([key, list]) => [key, list.map(readable)]),
    ),
    ...oldPointers.length > 0 && {
      oldPointers: oldPointers.map(({ value, name, ...place }) => ({
        name: demangledVariable(name),
        ...place,
        value: shownAddress(value),
      })),
    },
    ...unused !== undefined && {
      unused: {
        names: unused.names,
        bytes: shownSize(unused.bytes),
        addedBytes: shownSize(unused.addedBytes),
        ...unused.threads > 0 && { threads: unused.threads },
        ...unused.sharedBytes > 0 && { sharedBytes: shownSize(unused.sharedBytes) },
      },
    },
    ...replacedCode?.stays !== undefined && {
      replacedCode: { bytes: shownSize(replacedCode.bytes), stays: replacedCode.stays },
    },
  }));
  return report;
}

/** A name, or what has one, with the name as the source writes it. */
function readable(item: string | { readonly name: string }): string | { readonly name: string } {
  return typeof item === "string" ? demangledVariable(item) : { ...item, name: demangledVariable(item.name) };
}

/** Has an event show its times rounded. */
export function showEvent(event: WatchEvent): WatchEvent {
  if (event.kind !== "reloaded") return event;
  showAs(event, "", ({ milliseconds, sinceChange, carried, ...facts }) => ({
    ...facts,
    milliseconds: rounded(milliseconds),
    sinceChange: rounded(sinceChange),
    ...carried !== undefined && { carried },
  }));
  return event;
}

function rounded(milliseconds: number): Raw {
  return new Raw(milliseconds.toFixed(1));
}
