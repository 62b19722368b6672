/**
 * Audits memory protections from outside: reads the memory map of a process that
 * loads, binds, reloads, rolls back and unloads, after each of its calls for
 * memory.
 */
import { assert, assertEquals } from "@std/assert";
import { HAS_NATIVE_CODE } from "../support/native_code.ts";
import { NO_PROC } from "../support/testing.ts";
import { SCENARIOS } from "./scenarios.ts";
import type { Stop } from "./wx_child.ts";

/** A line of another process's memory map. */
interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** Its permissions, such as `r-x`. */
  readonly permissions: string;
  readonly name: string;
}

function mapOf(pid: number): Mapping[] {
  return Deno.readTextFileSync(`/proc/${pid}/maps`).trimEnd().split("\n").map((line) => {
    const [, start, end, permissions, name] = /^(\w+)-(\w+) (...). \S+ \S+ \S+ *(.*)$/.exec(line)!;
    return { start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), permissions, name };
  });
}

/** The permissions along a range; equal neighbours count once. */
function along(maps: readonly Mapping[], start: bigint, end: bigint): string[] {
  const found: string[] = [];
  for (const mapping of maps) {
    if (mapping.end <= start || mapping.start >= end) continue;
    if (found.at(-1) !== mapping.permissions) found.push(mapping.permissions);
  }
  return found;
}

/** The pages of a range, with the permissions of each. */
function* pagesOf(maps: readonly Mapping[], start: bigint, end: bigint): Iterable<[bigint, string]> {
  for (const mapping of maps) {
    const last = mapping.end < end ? mapping.end : end;
    for (let page = mapping.start > start ? mapping.start : start; page < last; page += 4096n) {
      yield [page, mapping.permissions];
    }
  }
}

const isBoth = (permissions: string): boolean => permissions.includes("w") && permissions.includes("x");

/** Runs the child; calls `look` at every stop. */
async function audit(look: (stop: Stop, maps: readonly Mapping[]) => void): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", new URL("./wx_child.ts", import.meta.url).href],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const go = child.stdin.getWriter();
  try {
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const stop = JSON.parse(text.slice(0, end)) as Stop;
        text = text.slice(end + 1);
        look(stop, mapOf(child.pid));
        await go.write(new Uint8Array(1));
      }
    }
    assertEquals((await child.status).code, 0);
  } finally {
    await go.close().catch(() => {});
  }
}

Deno.test({
  name:
    "no memory of the loader is ever writable and executable; code stays code; constants, GOT and guards are protected",
  ignore: NO_PROC || !HAS_NATIVE_CODE,
  async fn() {
    const seen = new Map<string, string[]>();
    /** Pages that have been executable. */
    const code = new Set<bigint>();
    let stubs = 0;
    let expectations = 0;
    await audit(({ scenario, at, reserved, expected }, maps) => {
      const where = `${scenario}, ${at}`;
      seen.set(scenario, [...seen.get(scenario) ?? [], at]);
      for (const { name, permissions } of maps) {
        if (name.includes("smf-loader")) assert(!isBoth(permissions), `${where}: ${name} is ${permissions}`);
        if (!name.includes("smf-stub")) continue;
        stubs++;
        assert(!permissions.includes("x"), `${where}: a stub library is ${permissions}`);
      }
      const now = new Set<bigint>();
      for (const [first, length] of reserved) {
        const start = BigInt(`0x${first}`);
        const end = start + BigInt(`0x${length}`);
        const permissions = along(maps, start, end);
        assert(!permissions.some(isBoth), `${where}: ${permissions}`);
        // Guards at both ends of a reservation are inaccessible.
        assertEquals([permissions[0], permissions.at(-1)], ["---", "---"], where);
        for (const [page, mapped] of pagesOf(maps, start, end)) {
          now.add(page);
          if (mapped.includes("x")) code.add(page);
          else assert(!code.has(page), `${where}: code has become ${mapped}`);
        }
      }
      for (const page of code) if (!now.has(page)) code.delete(page);
      for (const [address, permissions] of Object.entries(expected)) {
        const start = BigInt(`0x${address}`);
        assertEquals(along(maps, start, start + 1n), [permissions], where);
        expectations++;
      }
      if (at === "end") assertEquals(reserved, [], where);
    });
    assertEquals([...seen.keys()], [...Object.keys(SCENARIOS), "every kind of section"]);
    for (const at of ["mmap", "mprotect", "munmap", "before", "after", "end"]) {
      assert([...seen.values()].some((stops) => stops.includes(at)), `no stop at ${at}`);
    }
    assert(stubs > 0, "no stub library was looked at");
    assertEquals(expectations, 10);
  },
});
