// The names that the loader defines itself: those that are listed are those that it answers for.
import { assert, assertEquals } from "@std/assert";
import { isExitName } from "../../src/load/runtime/atexit.ts";
import { runtimeNames } from "../../src/load/runtime/names.ts";
import { LOADER_NAMES, TLS_GET_ADDR } from "../../src/os/loader_names.ts";
import { linuxTest } from "../support/threads.ts";

Deno.test("the listed names are those of the functions that the loader replaces, and one more", () => {
  const exits = [...LOADER_NAMES].filter((name) => name !== TLS_GET_ADDR);
  assertEquals(exits.filter((name) => !isExitName(name)), []);
  assertEquals(exits.length, 12);
});

linuxTest("the loader answers for every listed name", () => {
  for (const name of LOADER_NAMES) assert(runtimeNames.find(name, true)!.address !== 0n, name);
});
