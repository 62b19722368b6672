/**
 * Tells Linux's perf of the functions of modules, so that a profile names them: by the map of a process, and by a
 * jitdump file, which also has the code, and knows which version was at an address at which time.
 */

import { LoadError } from "../errors/load_error.ts";
import type { LoadedImage } from "../load/loader.ts";
import { fromSystem } from "../load/file/source.ts";
import { HOST_PLATFORM } from "../load/runtime/host.ts";
import { codeFunctions } from "../observe/code_functions.ts";
import { codeLoadRecord, jitdumpHeader, perfMapLine } from "../observe/jitdump.ts";
import { AppendedFile, monotonicTime, threadId } from "../os/descriptors.ts";
import { Machine } from "../os/elf.ts";
import { bytesAt } from "../os/native_memory.ts";
import { basename, join } from "../os/path.ts";
import { Platform } from "../smf/enums.ts";

/** The profilers that are told of modules. */
export interface ProfilerOptions {
  /** Whether `/tmp/perf-PID.map` names the functions. */
  readonly perfMap: boolean;
  /** The folder of the file `jit-PID.dump`; undefined: there is none. */
  readonly jitdump: string | undefined;
}

/** The files of this isolate, which stay open, by their paths. */
const files = new Map<string, AppendedFile>();

/** The number of functions that this isolate has written to a jitdump file. */
let written = 0n;

/** Tells of each version that is loaded. */
export class Profilers {
  readonly #perfMap: AppendedFile | undefined;
  readonly #jitdump: AppendedFile | undefined;

  /**
   * @throws {LoadError} `Unsupported` on other systems than Linux; `PermissionDenied`, `Io`.
   */
  constructor({ perfMap, jitdump }: ProfilerOptions, pageSize: number) {
    if (HOST_PLATFORM !== Platform.Linux) {
      throw new LoadError("Unsupported", "Cannot tell perf of functions: it is a profiler of Linux", {
        hint: "leave out the options perfMap and jitdump on this system",
      });
    }
    if (perfMap) this.#perfMap = fileAt(`/tmp/perf-${Deno.pid}.map`, () => {});
    if (jitdump !== undefined) {
      this.#jitdump = fileAt(join(realPath(jitdump), `jit-${Deno.pid}.dump`), (file) => {
        const machine = Deno.build.arch === "aarch64" ? Machine.AARCH64 : Machine.X86_64;
        if (!file.wasOpen) file.append(jitdumpHeader(machine, Deno.pid, monotonicTime()));
        file.mapAsMark(pageSize);
      });
    }
  }

  /** Tells of the functions of a version whose code is complete. */
  add({ file, memory, plan }: LoadedImage, path: string, version: number): void {
    const name = `[${basename(path)}${version === 1 ? "" : ` ${version}`}]`;
    const functions = codeFunctions(file).flatMap(({ offset, size, ...symbol }) => {
      const place = plan.place(offset, size);
      if (place < 0) return [];
      return [{ name: `${symbol.name} ${name}`, address: memory.address + BigInt(place), size }];
    });
    const encoder = new TextEncoder();
    const lines = functions.map(({ name, address, size }) => perfMapLine(name, address, size));
    this.#perfMap?.append(encoder.encode(lines.join("")) as Uint8Array<ArrayBuffer>);
    if (this.#jitdump === undefined) return;
    const when = { pid: Deno.pid, tid: threadId(), time: monotonicTime() };
    for (const { name, address, size } of functions) {
      const record = { name, address, code: bytesAt(address, size), index: written++ };
      this.#jitdump.append(codeLoadRecord(record, when));
    }
  }
}

function realPath(folder: string): string {
  try {
    return Deno.realPathSync(folder);
  } catch (error) {
    throw fromSystem(error, folder);
  }
}

function fileAt(path: string, opened: (file: AppendedFile) => void): AppendedFile {
  const known = files.get(path);
  if (known !== undefined) return known;
  const file = new AppendedFile(path);
  opened(file);
  files.set(path, file);
  return file;
}
