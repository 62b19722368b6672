// What `console.log` prints of reports and events of reloads.
import { assertEquals } from "@std/assert";
import type { CarryReport, WatchEvent } from "../../mod.ts";
import { showEvent, showReport } from "../../src/registry/shown_reload.ts";

const report = (some: Partial<CarryReport> = {}): CarryReport =>
  showReport({
    carried: [],
    kept: [],
    tables: [],
    moved: [],
    unused: undefined,
    replacedCode: undefined,
    converted: [],
    fresh: [],
    oldPointers: [],
    matchedBySize: [],
    initialValueChanged: [],
    changedPointees: [],
    ...some,
  });

const printed = (value: unknown): string => Deno.inspect(value, { colors: false });

Deno.test("a report shows the lists that are not empty, addresses in hexadecimal and sizes with units", () => {
  assertEquals(printed(report()), "CarryReport {}");
  assertEquals(
    printed(report({ carried: ["total"], matchedBySize: ["total"] })),
    `CarryReport { carried: [ "total" ], matchedBySize: [ "total" ] }`,
  );
  assertEquals(
    printed(report({ oldPointers: [{ name: "p", offset: 8, value: 4096n }] })),
    `CarryReport { oldPointers: [ { name: "p", offset: 8, value: 0x1000 } ] }`,
  );
  const table = { name: "_ZTV1a", fate: "kept", appended: 0, spare: 16 } as const;
  assertEquals(printed(report({ tables: [table] })), "CarryReport {}");
  assertEquals(
    printed(report({ tables: [table, { ...table, fate: "appended", appended: 2, spare: 14 }] })).replace(
      /\s+/g,
      " ",
    ),
    `CarryReport { tables: [ { name: "vtable for a", fate: "appended", appended: 2, spare: 14 } ] }`,
  );
  const unused = { names: ["v"], bytes: 24, addedBytes: 8192, sharedBytes: 0, threads: 0 };
  assertEquals(
    printed(report({ unused })),
    `CarryReport { unused: { names: [ "v" ], bytes: 24 bytes, addedBytes: 8 KiB } }`,
  );
  assertEquals(
    printed(report({ unused: { ...unused, names: [], sharedBytes: 4096, threads: 2 } })).replace(/\s+/g, " "),
    `CarryReport { unused: { names: [], bytes: 24 bytes, addedBytes: 8 KiB, threads: 2, sharedBytes: 4 KiB } }`,
  );
  assertEquals(printed(report({ replacedCode: { bytes: 4096, stays: undefined } })), "CarryReport {}");
  assertEquals(
    printed(report({ replacedCode: { bytes: 4096, stays: "it is pinned" } })),
    `CarryReport { replacedCode: { bytes: 4 KiB, stays: "it is pinned" } }`,
  );
});

Deno.test("an event shows its times rounded, and keeps the exact ones", () => {
  const event: WatchEvent = showEvent({
    kind: "reloaded",
    path: "a.smf",
    version: 2,
    milliseconds: 11.8234,
    sinceChange: 64.9123,
    carried: report({ carried: ["total"] }),
  });
  assertEquals(
    printed(event).replace(/\s+/g, " "),
    `{ kind: "reloaded", path: "a.smf", version: 2, milliseconds: 11.8, sinceChange: 64.9, ` +
      `carried: CarryReport { carried: [ "total" ] } }`,
  );
  assertEquals(event.kind === "reloaded" && event.milliseconds, 11.8234);
  assertEquals(Object.keys(event).length, 6);
  const failed: WatchEvent = { kind: "skipped", path: "a.smf", reason: "not reloadable" };
  assertEquals(showEvent(failed), { kind: "skipped", path: "a.smf", reason: "not reloadable" });
});
