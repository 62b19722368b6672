/**
 * What `console.log` shows of a reload's report and of a watch's events: what there is to say, rounded.
 */

import { Raw, showAs, shownAddress, shownSize } from "../os/inspection.ts";
import type { CarryReport } from "../module/carry.ts";
import type { WatchEvent } from "./watch/options.ts";

/** Has a report show only its lists that are not empty, and of tables of classes those that are not as before. */
export function showReport(report: CarryReport): CarryReport {
  showAs(report, "", ({ unused, oldPointers, tables, ...lists }) => ({
    ...Object.fromEntries(
      Object.entries({ ...lists, tables: tables.filter(({ fate }) => fate !== "kept") })
        .filter(([, list]) => list.length > 0),
    ),
    ...oldPointers.length > 0 && {
      oldPointers: oldPointers.map(({ value, ...place }) => ({ ...place, value: shownAddress(value) })),
    },
    ...unused !== undefined && {
      unused: { ...unused, bytes: shownSize(unused.bytes), addedBytes: shownSize(unused.addedBytes) },
    },
  }));
  return report;
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
