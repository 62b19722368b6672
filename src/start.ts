/**
 * A module's own initialisers and finalisers: arrays of function pointers that
 * compilers and linkers fill, in sections of these names (gABI, "Initialization
 * and Termination Functions").
 *
 * | section | when | order |
 * |---|---|---|
 * | `.preinit_array`, `.init_array` | once linked and protected, before anybody else calls | first to last |
 * | `.fini_array` | when the module is freed in order | last to first |
 */

import { pointerCall } from "./call/pointer.ts";
import { readAddresses } from "./call/statics.ts";
import { LoadError } from "./errors.ts";
import type { LoadedImage } from "./loader.ts";

/** Of an initialiser, with what the C library passes: argc, argv, envp. Finalisers take nothing. */
const INITIALISER = { parameters: ["i32", "pointer", "pointer"], result: "void" } as const;
const FINALISER = { parameters: [], result: "void" } as const;

/** Entries that old tool chains put at the ends of such arrays. */
const UNUSED = new Set([0n, 0xffff_ffff_ffff_ffffn]);

/** Runs what is to run before the module is used. */
export function runInitialisers(image: LoadedImage): void {
  for (const address of arrays(image, [".preinit_array", ".init_array"])) {
    pointerCall(address, INITIALISER)(0, null, null);
  }
}

/** Runs what is to run before the module goes. */
export function runFinalisers(image: LoadedImage): void {
  for (const address of arrays(image, [".fini_array"]).reverse()) pointerCall(address, FINALISER)();
}

function arrays(image: LoadedImage, names: readonly string[]): bigint[] {
  const { memory, plan } = image;
  const first = memory.address + BigInt(plan.code.offset);
  const end = first + BigInt(plan.code.length);
  const addresses: bigint[] = [];
  for (const name of names) {
    for (const { section, offset } of plan.sections) {
      if (section.name !== name) continue;
      for (
        const address of readAddresses(memory.address + BigInt(offset), Math.floor(section.virtualSize / 8))
      ) {
        if (UNUSED.has(address)) continue;
        if (address < first || address >= end) {
          throw new LoadError(
            "InvalidFormat",
            "Cannot start module: an entry is not the address of its own code",
            {
              section: name,
              value: address,
              range: [first, end],
            },
          );
        }
        addresses.push(address);
      }
    }
  }
  return addresses;
}
