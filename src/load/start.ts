/**
 * A module's own initialisers and finalisers: arrays of function pointers that
 * compilers and linkers fill, in sections of these names (gABI, "Initialization
 * and Termination Functions").
 *
 * | section | when | order |
 * |---|---|---|
 * | `.preinit_array`, `.init_array` | once the module is linked and protected, before any other call | first to last |
 * | `.fini_array` | when the module is closed, before its memory is freed | last to first |
 * | `.tls_callbacks` | on Windows, when threads begin or end; first of all, and before finalisers | first to last |
 */

import { pointerCall } from "../os/pointer.ts";
import { readAddresses } from "../os/native_memory.ts";
import { LoadError } from "../errors/load_error.ts";
import type { ImagePlan } from "../image/plan.ts";
import type { LoadedImage } from "./image.ts";
import { initialiserArguments } from "./runtime/atexit.ts";
import { HOST_PLATFORM } from "./runtime/host.ts";
import { ThreadCallbacks } from "./runtime/windows_thread_callbacks.ts";
import { Platform, SectionType } from "../smf/enums.ts";

/** An initialiser takes the arguments that the C library passes: argc, argv, envp. A finaliser takes none. */
const INITIALISER = { parameters: ["i32", "pointer", "pointer"], result: "void" } as const;
const FINALISER = { parameters: [], result: "void" } as const;

/** Markers that old tool chains put at the ends of such arrays. */
const END_MARKERS = new Set([0n, 0xffff_ffff_ffff_ffffn]);

/** The arrays of functions that run once the module is linked, in their order. */
const STARTING = [".preinit_array", ".init_array"];
/** The array of functions that run when the module is closed. */
const ENDING = [".fini_array"];
/** The array of functions that Windows calls when threads begin or end. */
const CALLBACKS = ".tls_callbacks";

/**
 * Checks the arrays of a relocated module, while it can still be refused.
 *
 * @throws {LoadError} `InvalidFormat` if an entry of any array is not a function of the module.
 */
export function checkArrays(image: LoadedImage): void {
  arrays(image, ENDING);
  arrays(image, STARTING);
  arrays(image, [CALLBACKS]);
}

/**
 * Returns the functions that the system calls when threads begin or end, not called yet; undefined if there are none.
 *
 * @throws {LoadError} As {@linkcode checkArrays}, or if the system cannot call them.
 */
export function threadCallbacks(image: LoadedImage): ThreadCallbacks | undefined {
  if (HOST_PLATFORM !== Platform.Windows) return undefined;
  const functions = arrays(image, [CALLBACKS]);
  if (functions.length === 0) return undefined;
  const { memory: { address }, plan } = image;
  const { section, offset } = plan.sections.find(({ section }) => section.name === CALLBACKS)!;
  const start = address + BigInt(offset), end = start + BigInt(section.virtualSize & ~7);
  return new ThreadCallbacks(address, { start, end, functions });
}

/**
 * Runs the module's initialisers.
 *
 * Safety: runs native code of the module, once only.
 *
 * @throws {LoadError} As {@linkcode checkArrays}; then nothing has run. Ifuncs may
 * have been stored in the arrays since they were checked.
 */
export function runInitialisers(image: LoadedImage): void {
  arrays(image, ENDING);
  const initialisers = arrays(image, STARTING);
  image.threadCallbacks?.start();
  if (initialisers.length === 0) return;
  const parameters = initialiserArguments();
  image.heldThreads?.begin();
  try {
    for (const address of initialisers) pointerCall(address, INITIALISER)(...parameters);
  } finally {
    image.heldThreads?.end();
  }
}

/**
 * Ends a module before its memory is freed: runs the destructors of objects that
 * threads still have, then its finalisers, then the functions that it registered
 * for its end.
 *
 * Safety: runs native code of the module, once only. No thread may run other
 * code of the module afterwards.
 */
export function runFinalisers(image: LoadedImage): void {
  image.exits?.endThreads();
  image.threadCallbacks?.stop();
  const { memory, supersededEnds } = image;
  for (const address of arrays(image, ENDING).reverse()) {
    if (supersededEnds?.has(Number(address - memory.address)) !== true) pointerCall(address, FINALISER)();
  }
  image.exits?.runFinalisers();
}

/** The offsets of the functions that run when the module is closed. */
export function endOffsets(image: LoadedImage): number[] {
  return arrays(image, ENDING).map((address) => Number(address - image.memory.address));
}

/** Whether closing a module runs any function of it: at its end, or registered for that. */
export function hasEnds(image: LoadedImage): boolean {
  return endOffsets(image).length > 0 || (image.exits?.registered().length ?? 0) > 0;
}

/** The number of functions that run once the module is linked. */
export function startCount(image: LoadedImage): number {
  return arrays(image, STARTING).length;
}

/** Whether a module has functions that run once it is linked. */
export function hasInitialisers({ sections }: ImagePlan): boolean {
  return sections.some(({ section: { name } }) => STARTING.includes(name));
}

/** The offsets of these arrays in the range, each from its start up to but not including its end. */
export function startArrays(plan: ImagePlan): readonly { readonly start: number; readonly end: number }[] {
  return plan.sections.filter(({ section: { name } }) => STARTING.includes(name) || ENDING.includes(name))
    .map(({ section, offset }) => ({ start: offset, end: offset + section.virtualSize }));
}

/** The functions in arrays of these names; each must be in the module's own code. */
function arrays(image: LoadedImage, names: readonly string[]): bigint[] {
  const { memory, plan } = image;
  if (!plan.sections.some(({ section }) => names.includes(section.name))) return [];
  const first = memory.address + BigInt(plan.code.offset);
  // The end of the last section, not of its pages: only zeros follow.
  const end = memory.address + BigInt(codeEnd(plan));
  const addresses: bigint[] = [];
  for (const name of names) {
    for (const { section, offset } of plan.sections) {
      if (section.name !== name) continue;
      const count = Math.floor(section.virtualSize / 8);
      for (const address of readAddresses(memory.address + BigInt(offset), count)) {
        if (END_MARKERS.has(address)) continue;
        if (address < first || address >= end) {
          throw new LoadError(
            "InvalidFormat",
            "Cannot start module: an entry of the array is not the address of code of the module",
            { section: name, value: address, range: [first, end] },
          );
        }
        addresses.push(address);
      }
    }
  }
  return addresses;
}

/** The end of the last Code section, as an offset in the range. */
function codeEnd(plan: ImagePlan): number {
  let end = plan.code.offset;
  for (const { section, offset } of plan.sections) {
    if (section.type === SectionType.Code) end = Math.max(end, offset + section.virtualSize);
  }
  return end;
}
