/**
 * Goes through lives of modules and stops after every call for memory and at
 * every milestone, until it is told to go on: its parent looks at its memory map
 * meanwhile.
 */
import { ModuleRegistry } from "../../mod.ts";
import { LinuxAllocator } from "../../src/os/memory/linux.ts";
import type { PosixSystem } from "../../src/os/memory/posix.ts";
import { sampler } from "../support/testing.ts";
import { version } from "../support/versions.ts";
import { LONG, READER, SCENARIOS } from "./scenarios.ts";

/** A line that this prints. */
export interface Stop {
  readonly scenario: string;
  /** The call that was just made, or `before`, `after`, `end`. */
  readonly at: string;
  /** Address space that the allocator has taken: first byte and length, in hexadecimal. */
  readonly taken: readonly (readonly [string, string])[];
  /** What has to be at an address, in hexadecimal: its permissions. */
  readonly expected: Readonly<Record<string, string>>;
}

const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

const libc = Deno.dlopen("libc.so.6", {
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  sysconf: { parameters: ["i32"], result: "i64" },
}).symbols;

/** By page, so that parts can be given back. */
const pages = new Set<bigint>();
const pageSize = libc.sysconf(30);
const encoder = new TextEncoder();
let scenario = "";

function stop(at: string, expected: Readonly<Record<string, string>> = {}): void {
  const taken: [string, string][] = [];
  let last = -1n;
  for (const page of [...pages].sort((left, right) => left < right ? -1 : 1)) {
    if (page === last) taken.at(-1)![1] = (BigInt(`0x${taken.at(-1)![1]}`) + pageSize).toString(16);
    else taken.push([page.toString(16), pageSize.toString(16)]);
    last = page + pageSize;
  }
  Deno.stdout.writeSync(
    encoder.encode(`${JSON.stringify({ scenario, at, taken, expected } satisfies Stop)}\n`),
  );
  if (Deno.stdin.readSync(new Uint8Array(1)) !== 1) Deno.exit(1);
}

const system: PosixSystem = {
  mmap(address, length, ...rest) {
    const base = libc.mmap(address, length, ...rest);
    if (base !== MAP_FAILED) { for (let at = 0n; at < length; at += pageSize) pages.add(base + at); }
    stop("mmap");
    return base;
  },
  mprotect(...parameters) {
    const result = libc.mprotect(...parameters);
    stop("mprotect");
    return result;
  },
  munmap(address, length) {
    const result = libc.munmap(address, length);
    if (result === 0) { for (let at = 0n; at < length; at += pageSize) pages.delete(address + at); }
    stop("munmap");
    return result;
  },
  sysconf: (name) => libc.sysconf(name),
  errno: () => 0,
};

async function freed(): Promise<void> {
  for (let round = 0; pages.size > 0 && round < 50; round++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  stop("end");
}

for (const [name, make] of Object.entries(SCENARIOS)) {
  scenario = name;
  const life = make(new LinuxAllocator(system));
  life.before();
  stop("before");
  await life.act();
  life.after();
  stop("after");
  await life.end();
  await freed();
}

scenario = "every kind of section";
// Fast from the first call on, so that there is a stub library to look at.
const registry = new ModuleRegistry({ allocator: new LinuxAllocator(system), callPath: "fast" });
registry.loadBytes("m", version({ data: { total: [1n] } }));
const all = registry.loadBytes("all", sampler().bytes);
const reader = registry.loadBytes("reader", READER);
const { address, size } = reader.codeMemory;
const expected: Record<string, string> = {
  // Its GOT is all that it has beside code.
  [(address + BigInt(size)).toString(16)]: "r--",
};
for (
  const [name, permissions] of [["seven", "r-x"], ["constant", "r--"], ["variable", "rw-"], ["zeroed", "rw-"]]
) {
  using lease = all.addressOf(name)!;
  expected[lease.address.toString(16)] = permissions;
}
stop("before", expected);
// The reload writes another address into the GOT.
registry.reload("m", { bytes: version({ data: { total: [2n] } }) });
if (reader.getFunction("read", LONG)!() !== 2n) throw new Error("the GOT was not changed");
stop("after", expected);
await registry[Symbol.asyncDispose]();
await freed();
