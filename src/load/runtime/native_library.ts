/**
 * The loader's own libraries of machine code (native/), which are opened from
 * memory, once in a process, and never closed.
 */

import { LoadError } from "../../errors/load_error.ts";
import { openLinkerBriefly } from "../../os/dynamic_linker.ts";
import { MemoryFiles } from "../../os/memory_file.ts";
import { pointerCall } from "../../os/pointer.ts";
import { decodeBase64 } from "../../smf/base64.ts";

/** A library, its code for each processor in base64. */
export class NativeLibrary {
  readonly #name: string;
  readonly #codes: Readonly<Record<typeof Deno.build.arch, string>>;
  readonly #addresses: Map<string, bigint> = new Map();

  /** @param name The library's soname, by which the dynamic linker finds it once it is open. */
  constructor(name: string, codes: Readonly<Record<typeof Deno.build.arch, string>>) {
    this.#name = name;
    this.#codes = codes;
  }

  /**
   * The address of one of the library's functions.
   *
   * Platforms: Linux only.
   *
   * @throws {LoadError} `Unsupported` if the system refuses the library.
   */
  addressOf(name: string): bigint {
    let address = this.#addresses.get(name);
    if (address !== undefined) return address;

    using linker = openLinkerBriefly();
    // Another isolate may have opened the library before.
    const handle = linker.open(this.#name) ?? this.#openFile((path) => linker.open(path));
    if (handle === null) {
      throw new LoadError(
        "Unsupported",
        `Cannot open the loader's own library: the system refuses it: ${linker.failure()}`,
        {
          hint:
            "let this process open shared libraries from memory: nothing may forbid memfd_create or executing it",
        },
      );
    }
    address = linker.find(handle, name);
    this.#addresses.set(name, address);
    return address;
  }

  /**
   * Returns a function that calls the library's functions by their names.
   *
   * Platforms: Linux only. The result throws as {@linkcode NativeLibrary.addressOf}.
   */
  caller<Functions extends Readonly<Record<string, Deno.ForeignFunction>>>(
    functions: Functions,
  ): (name: keyof Functions & string, ...parameters: unknown[]) => unknown {
    return (name, ...parameters) =>
      pointerCall(this.addressOf(name), functions[name])(...parameters as never[]);
  }

  #openFile(open: (path: string) => Deno.PointerValue): Deno.PointerValue {
    const bytes = decodeBase64(this.#codes[Deno.build.arch]);
    using files = new MemoryFiles("smf-loader");
    return files.withFile(bytes, open);
  }
}
