/**
 * The jitdump format of Linux's perf, version 1 (`tools/perf/Documentation/jitdump-specification.txt` of the
 * kernel): the code of functions, each with the time at which it was there. All words are little-endian.
 *
 * | header       | offset | bytes |                                        |
 * | ------------ | ------ | ----- | -------------------------------------- |
 * | `magic`      | 0      | 4     | `0x4A695444`, "JiTD"                   |
 * | `version`    | 4      | 4     | 1                                      |
 * | `total_size` | 8      | 4     | of this header                         |
 * | `elf_mach`   | 12     | 4     | the `e_machine` of ELF                 |
 * | `pid`        | 20     | 4     | the process                            |
 * | `timestamp`  | 24     | 8     | nanoseconds of CLOCK_MONOTONIC         |
 * | `flags`      | 32     | 8     | 0                                      |
 *
 * | JIT_CODE_LOAD | offset | bytes |                                       |
 * | ------------- | ------ | ----- | ------------------------------------- |
 * | `id`          | 0      | 4     | 0                                     |
 * | `total_size`  | 4      | 4     | of the record, with name and code     |
 * | `timestamp`   | 8      | 8     | when the code was there               |
 * | `pid`, `tid`  | 16     | 4, 4  | the process and the thread            |
 * | `vma`         | 24     | 8     | the address                           |
 * | `code_addr`   | 32     | 8     | the address                           |
 * | `code_size`   | 40     | 8     | bytes                                 |
 * | `code_index`  | 48     | 8     | counts the records of the file        |
 * | name, code    | 56     |       | the name with a NUL, then the code    |
 */
const MAGIC = 0x4a69_5444, VERSION = 1, HEADER = 40, LOAD = 56;

/** The header of a file. */
export function jitdumpHeader(machine: number, pid: number, time: bigint): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(HEADER));
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setUint32(8, HEADER, true);
  view.setUint32(12, machine, true);
  view.setUint32(20, pid, true);
  view.setBigUint64(24, time, true);
  return new Uint8Array(view.buffer);
}

/** Code that is there from some time on. */
export interface LoadedCode {
  readonly name: string;
  readonly address: bigint;
  readonly code: Uint8Array;
  /** Counts the records of the file. */
  readonly index: bigint;
}

/** The record of one function. */
export function codeLoadRecord(
  { name, address, code, index }: LoadedCode,
  { pid, tid, time }: { readonly pid: number; readonly tid: number; readonly time: bigint },
): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(LOAD + text.length + 1 + code.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, bytes.length, true);
  view.setBigUint64(8, time, true);
  view.setUint32(16, pid, true);
  view.setUint32(20, tid, true);
  view.setBigUint64(24, address, true);
  view.setBigUint64(32, address, true);
  view.setBigUint64(40, BigInt(code.length), true);
  view.setBigUint64(48, index, true);
  bytes.set(text, LOAD);
  bytes.set(code, LOAD + text.length + 1);
  return bytes;
}

/** A line of `/tmp/perf-PID.map`: address and size in hexadecimal, and the name. */
export function perfMapLine(name: string, address: bigint, size: number): string {
  return `${address.toString(16)} ${size.toString(16)} ${name}\n`;
}
