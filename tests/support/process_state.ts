/** The state of this process, as the operating system tells it: mappings, descriptors, memory. */
import { StubFolder } from "../../src/call/stub/folder.ts";

/** Only Linux has /proc, which tells the mappings and descriptors. */
export const NO_PROC: boolean = Deno.build.os !== "linux";
/** A line of `/proc/self/maps`. */
export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** `r-xp` and the like. */
  readonly permissions: string;
}

/** The mappings of this process; empty where the system does not tell. */
export function mappings(): Mapping[] {
  if (NO_PROC) return [];
  return Deno.readTextFileSync("/proc/self/maps").trimEnd().split("\n").map((line) => {
    const [, start, end, permissions] = /^(\w+)-(\w+) (\S+)/.exec(line)!;
    return { start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), permissions };
  });
}

/** The permissions at an address, or "" where nothing is mapped. */
export function permissionsAt(address: bigint): string {
  return mappings().find(({ start, end }) => start <= address && address < end)?.permissions ?? "";
}

/**
 * The targets of this process's file descriptors, sorted; empty where the system does not tell. Files that the
 * engine's own threads open for a moment are not among them: only what is open at two looks is.
 */
export function descriptors(): string[] {
  const before = openFiles();
  if (before.size === 0) return [];
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3);
  const after = openFiles();
  return [...after].flatMap(([name, target]) => before.get(name) === target ? [target] : []).sort();
}

/** The targets of this process's file descriptors, by their numbers. */
function openFiles(): Map<string, string> {
  const files = new Map<string, string>();
  if (NO_PROC) return files;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      files.set(name, Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The listing was read through this descriptor, which is closed by now.
    }
  }
  return files;
}

/** Like {@linkcode descriptors}, without the caches and sockets that Deno opens at times of its own. */
export function ownDescriptors(): string[] {
  return descriptors().filter((path) => !/_cache_v\d|^socket:/.test(path));
}

/** Part of the path of a stub library's mapping. */
const STUB = "/memfd:smf-stub";

/**
 * Flags of V8 for programs that measure how much the process grows. V8's space for young
 * objects grows to 32 MiB, and shrinks only when memory is short: that would hide a leak.
 */
export const GC_FLAGS = "--expose-gc,--max-semi-space-size=1";

/** The lines of this process's memory map; none where the system does not tell. */
export function maps(): string[] {
  if (Deno.build.os !== "linux") return [];
  return Deno.readTextFileSync("/proc/self/maps").trimEnd().split("\n");
}

/** Counts the parts of this process's memory where code can run. */
export function codeMappingCount(): number {
  if (Deno.build.os !== "windows") return maps().filter((line) => / r-xp /.test(line)).length;
  // SIZE_T VirtualQuery(LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength); 0
  const kernel = Deno.dlopen("kernel32.dll", {
    VirtualQuery: { parameters: ["usize", "buffer", "usize"], result: "usize" },
  });
  try {
    // BaseAddress @0, RegionSize @24, State @32, Protect @36; PAGE_EXECUTE and the like have these bits.
    const region = new BigUint64Array(6), executable = 0xf0n << 32n;
    let count = 0;
    for (let at = 0n; kernel.symbols.VirtualQuery(at, region, 48n) !== 0n; at = region[0] + region[3]) {
      if ((region[4] & executable) !== 0n) count++;
    }
    return count;
  } finally {
    kernel.close();
  }
}

/** Counts the mappings; equal neighbours count as one, since the kernel merges them and an emulator does not. */
export function mappingCount(): number {
  let count = 0;
  let last: readonly string[] = [];
  for (const line of maps()) {
    const [range, permissions, , , , path = ""] = line.trimEnd().split(/ +/);
    const [start, end] = range.split("-");
    if (path !== "" || start !== last[0] || permissions !== last[1]) count++;
    last = path === "" ? [end, permissions] : [];
  }
  return count;
}

/** Counts the open stub libraries of this process: their mappings, or their files on Windows. */
export function stubMappings(): number {
  if (Deno.build.os !== "windows") return maps().filter((line) => line.includes(STUB)).length;
  using folder = new StubFolder();
  try {
    return [...Deno.readDirSync(`${folder.parent}\\${Deno.pid}`)].length;
  } catch {
    return 0;
  }
}

/** Whether an address is mapped in this process. */
export function isMapped(address: bigint): boolean {
  if (Deno.build.os === "windows") return isCommitted(address);
  return maps().some((line) => {
    const [start, end] = line.split(" ", 1)[0].split("-").map((part) => BigInt(`0x${part}`));
    return address >= start && address < end;
  });
}

/** Asks VirtualQuery: u32 State @32 of a MEMORY_BASIC_INFORMATION is MEM_COMMIT. */
function isCommitted(address: bigint): boolean {
  const kernel32 = Deno.dlopen("kernel32.dll", {
    VirtualQuery: { parameters: ["usize", "buffer", "usize"], result: "usize" },
  });
  try {
    const information = new Uint8Array(48);
    kernel32.symbols.VirtualQuery(address, information, 48n);
    return new DataView(information.buffer).getUint32(32, true) === 0x1000;
  } finally {
    kernel32.close();
  }
}

/** Reads an unsigned 64-bit word at an address. */
export function readWord(address: bigint): bigint {
  return new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!).getBigUint64();
}

/** Copies the bytes at an address. */
export function readMemory(address: bigint, length: number): Uint8Array {
  const into = new Uint8Array(length);
  if (length > 0) new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!).copyInto(into);
  return into;
}

/** Whether this process forbids `eval` and `new Function`, as `--disallow-code-generation-from-strings` says. */
export function isCodeFromStringsForbidden(): boolean {
  try {
    new Function("return 1");
    return false;
  } catch (error) {
    return error instanceof EvalError;
  }
}
