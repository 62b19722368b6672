/**
 * Runs all scenarios, and stops after every call for memory and at every
 * milestone until its parent, which reads its memory map meanwhile, writes a
 * byte.
 */
import { ModuleRegistry } from "../../mod.ts";
import { LinuxAllocator } from "../../src/os/memory/linux.ts";
import type { PosixSystem } from "../../src/os/memory/posix.ts";
import { sampler } from "../support/testing.ts";
import { version } from "../support/versions.ts";
import { LONG, READER, SCENARIOS } from "./scenarios.ts";

/** A line of this program's output. */
export interface Stop {
  readonly scenario: string;
  /** The last call for memory, or `before`, `after`, `end`. */
  readonly at: string;
  /** Address space that is reserved: first byte and length, in hexadecimal. */
  readonly reserved: readonly (readonly [string, string])[];
  /** The permissions that an address, in hexadecimal, must have. */
  readonly expected: Readonly<Record<string, string>>;
}

const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

const libc = Deno.dlopen("libc.so.6", {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset); MAP_FAILED, which is -1
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  // int mprotect(void *addr, size_t len, int prot); -1
  mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
  // int munmap(void *addr, size_t length); -1
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  // long sysconf(int name); -1
  sysconf: { parameters: ["i32"], result: "i64" },
}).symbols;

/** The reserved pages, one by one, since parts of a reservation can be given back. */
const pages = new Set<bigint>();
const pageSize = libc.sysconf(30);
const encoder = new TextEncoder();
let scenario = "";

function stop(at: string, expected: Readonly<Record<string, string>> = {}): void {
  const reserved: [string, string][] = [];
  let last = -1n;
  for (const page of [...pages].sort((left, right) => left < right ? -1 : 1)) {
    if (page === last) reserved.at(-1)![1] = (BigInt(`0x${reserved.at(-1)![1]}`) + pageSize).toString(16);
    else reserved.push([page.toString(16), pageSize.toString(16)]);
    last = page + pageSize;
  }
  Deno.stdout.writeSync(
    encoder.encode(`${JSON.stringify({ scenario, at, reserved, expected } satisfies Stop)}\n`),
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
// The fast path from the first call on, so that there is a stub library to look at.
const registry = new ModuleRegistry({ allocator: new LinuxAllocator(system), callPath: "fast" });
registry.loadBytes("m", version({ data: { total: [1n] } }));
const all = registry.loadBytes("all", sampler().bytes);
const reader = registry.loadBytes("reader", READER);
const { address, size } = reader.codeMemory;
const expected: Record<string, string> = {
  // The reader has no other memory than code and its GOT.
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
