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

import { pointerCall } from "../os/pointer.ts";
import { readAddresses } from "../os/native_memory.ts";
import { LoadError } from "../errors.ts";
import type { ImagePlan } from "../image/plan.ts";
import type { LoadedImage } from "./loader.ts";
import { SectionType } from "../smf/enums.ts";

/** Of an initialiser, with what the C library passes: argc, argv, envp. Finalisers take nothing. */
const INITIALISER = { parameters: ["i32", "pointer", "pointer"], result: "void" } as const;
const FINALISER = { parameters: [], result: "void" } as const;

/** Entries that old tool chains put at the ends of such arrays. */
const UNUSED = new Set([0n, 0xffff_ffff_ffff_ffffn]);

/**
 * Runs what is to run before the module is used.
 *
 * @throws {LoadError} `InvalidFormat` if an entry of any array is no function
 * of the module; then nothing has run.
 */
export function runInitialisers(image: LoadedImage): void {
  // Finalisers are looked at now, while the module can still be refused.
  arrays(image, [".fini_array"]);
  for (const address of arrays(image, [".preinit_array", ".init_array"])) {
    pointerCall(address, INITIALISER)(0, null, null);
  }
}

/**
 * Runs what is to run before the module goes: destructors of objects that
 * threads still have, then finalisers, then what was registered for the end.
 */
export function runFinalisers(image: LoadedImage): void {
  image.exits?.endThreads();
  for (const address of arrays(image, [".fini_array"]).reverse()) pointerCall(address, FINALISER)();
  image.exits?.runFinalisers();
}

/** The functions in arrays of these names; each must be in the module's own code. */
function arrays(image: LoadedImage, names: readonly string[]): bigint[] {
  const { memory, plan } = image;
  if (!plan.sections.some(({ section }) => names.includes(section.name))) return [];
  const first = memory.address + BigInt(plan.code.offset);
  // Not where its pages end: behind the last section there are only zeros.
  const end = memory.address + BigInt(codeEnd(plan));
  const addresses: bigint[] = [];
  for (const name of names) {
    for (const { section, offset } of plan.sections) {
      if (section.name !== name) continue;
      const count = Math.floor(section.virtualSize / 8);
      for (const address of readAddresses(memory.address + BigInt(offset), count)) {
        if (UNUSED.has(address)) continue;
        if (address < first || address >= end) {
          throw new LoadError(
            "InvalidFormat",
            "Cannot start module: an entry is not the address of its own code",
            { section: name, value: address, range: [first, end] },
          );
        }
        addresses.push(address);
      }
    }
  }
  return addresses;
}

/** Where the last Code section ends, as an offset in the range. */
function codeEnd(plan: ImagePlan): number {
  let end = plan.code.offset;
  for (const { section, offset } of plan.sections) {
    if (section.type === SectionType.Code) end = Math.max(end, offset + section.virtualSize);
  }
  return end;
}
