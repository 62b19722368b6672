/**
 * Reports of crashes: a signal that ends the process while code of a module is on
 * the stack first writes what happened to standard error.
 *
 * The handler is the code in native/crash/, in one library for the whole process.
 * It cannot ask JavaScript: it has copies of the modules' symbols, and a list of
 * modules that the loader keeps in step.
 */

import { LoadError } from "../../errors/load_error.ts";
import { pointerCall } from "../../os/pointer.ts";
import { Platform, SymbolType } from "../../smf/enums.ts";
import type { LoadedImage } from "../image.ts";
import { CRASH_LIBRARY, CRASH_NAME } from "./crash_library.ts";
import { HOST_PLATFORM } from "./host.ts";
import { NativeLibrary } from "./native_library.ts";
import { EH_FRAME } from "./unwind_registration.ts";

/**
 * The library's functions.
 *
 * | C declaration | failure |
 * |---|---|
 * | `struct module *smf_crash_add(const struct facts *facts, const void *symbols, size_t size)` | NULL |
 * | `void smf_crash_remove(struct module *)` | never |
 */
const FUNCTIONS = {
  smf_crash_add: { parameters: ["buffer", "buffer", "usize"], result: "pointer" },
  smf_crash_remove: { parameters: ["pointer"], result: "void" },
} as const satisfies Record<string, Deno.ForeignFunction>;

/** The functions once they are found; null where the system refuses the library. */
interface Functions {
  readonly add: (facts: Uint32Array<ArrayBuffer>, symbols: Uint8Array, size: bigint) => Deno.PointerValue;
  readonly remove: (module: Deno.PointerValue) => void;
}

let functions: Functions | null | undefined;

function findFunctions(): Functions | null {
  if (HOST_PLATFORM !== Platform.Linux) return null;
  const library = new NativeLibrary(CRASH_NAME, CRASH_LIBRARY);
  try {
    const find = (name: keyof typeof FUNCTIONS) => pointerCall(library.addressOf(name), FUNCTIONS[name]);
    return {
      add: find("smf_crash_add") as Functions["add"],
      remove: find("smf_crash_remove") as Functions["remove"],
    };
  } catch (error) {
    // Where libraries in memory are forbidden, modules that need none still load.
    if (error instanceof LoadError) return null;
    throw error;
  }
}

const encoder = new TextEncoder();
/** The words of `struct facts` in native/crash/crash.h, and of a group behind it. */
const FACT_WORDS = 12, GROUP_WORDS = 3;
/** The facts about an image on their way to the library, which copies them. Few names are longer. */
let scratch = new Uint32Array(512);

/**
 * Makes crashes in a relocated image reported, until the result is disposed of.
 *
 * Safety: dispose of it before the image's memory is freed.
 *
 * Platforms: Linux only; elsewhere, and where the system refuses the handler,
 * nothing is reported.
 *
 * @param version The number of the version, for the report.
 */
export function reportCrashes(image: LoadedImage, version: number): Disposable | undefined {
  functions ??= findFunctions();
  if (functions === null) return undefined;
  const { bytes } = image.file.symbols.source;
  const module = functions.add(factsOf(image, version), bytes, BigInt(bytes.byteLength));
  if (module === null) return undefined;
  const { remove } = functions;
  return { [Symbol.dispose]: () => remove(module) };
}

/** The facts about an image as the library reads them. They are valid until the next call. */
function factsOf(
  { file: { symbols }, plan, memory, identity: { description } }: LoadedImage,
  version: number,
): Uint32Array<ArrayBuffer> {
  const { groups, code } = plan;
  const frames = plan.sections.find(({ section }) => section.name === EH_FRAME);
  const nameAt = 2 * (FACT_WORDS + GROUP_WORDS * groups.length);
  // A character has three bytes at most for each unit of a string.
  const needed = nameAt + Math.ceil(3 * description.length / 4);
  if (scratch.length < needed) scratch = new Uint32Array(needed);
  const words = scratch;
  let at = 0;
  const put = (value: number): void => {
    words[at] = value;
    // Two's complement: a group may lie before its place in the file's image.
    words[at + 1] = Math.floor(value / 0x1_0000_0000);
    at += 2;
  };
  put(Number(memory.address));
  put(plan.size);
  put(code.offset);
  put(code.length);
  put(frames?.offset ?? 0);
  put(frames?.section.virtualSize ?? 0);
  put(version);
  put(symbols.length);
  put(symbols.step);
  put(SymbolType.Function - symbols.typeBase);
  put(encoder.encodeInto(description, new Uint8Array(words.buffer, 4 * nameAt)).written);
  put(groups.length);
  for (const { start, end, delta } of groups) {
    put(start);
    put(end);
    put(delta);
  }
  return words;
}
