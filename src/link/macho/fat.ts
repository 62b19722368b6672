/**
 * Files that hold the same for several processors (`mach-o/fat.h`): objects or archives, of which a link takes those
 * for its own processor.
 */
import { Machine } from "../../os/elf.ts";
import { InputBytes } from "../elf/bytes.ts";
import { malformed, unsupported } from "../problems.ts";
import { machineOfCpu } from "./file.ts";

const MAGIC = 0xcafe_babe, MAGIC_64 = 0xcafe_babf;

/** Classes of Java begin alike, and have a version of at least 43 where the number of processors is. */
const MOST_SLICES = 42;

/** The part of a file for one processor. */
interface Slice {
  /** A `Machine`; undefined for a processor that the linker does not know. */
  readonly machine: number | undefined;
  /** cpusubtype without its bits; of one processor the oldest, which all can run, has the smallest. */
  readonly subtype: number;
  readonly bytes: Uint8Array;
}

/** Whether the bytes begin as a file for several processors does. */
export function isFat(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const magic = view.getUint32(0);
  return (magic === MAGIC || magic === MAGIC_64) && view.getUint32(4) <= MOST_SLICES;
}

function slicesOf(name: string, bytes: Uint8Array): Slice[] {
  const file = new InputBytes(name, bytes);
  const { view } = file;
  const isLarge = view.getUint32(0) === MAGIC_64;
  const count = view.getUint32(4), size = isLarge ? 32 : 20;
  file.table(8, count, size, "the table of processors");
  return Array.from({ length: count }, (_, i) => {
    const at = 8 + i * size;
    const word = (offset: number): number =>
      isLarge
        ? view.getUint32(at + offset) * 2 ** 32 + view.getUint32(at + offset + 4)
        : view.getUint32(at + offset);
    const start = word(8), length = word(isLarge ? 16 : 12);
    if (start + length > bytes.length) {
      throw malformed(name, "the part for a processor lies outside the file", {
        offset: start,
        size: length,
      });
    }
    return {
      machine: machineOfCpu(view.getUint32(at)),
      subtype: view.getUint32(at + 4) & 0xff_ffff,
      bytes: bytes.subarray(start, start + length),
    };
  });
}

const THIN = "lipo FILE -thin x86_64 -output OTHER takes one out";

/**
 * Returns the inputs with the parts for one processor instead of files for several.
 *
 * @param machineOf Returns the processor of inputs for one, a `Machine`; undefined if they do not tell.
 * @throws {LoadError} `InvalidFormat`; `Unsupported` if the processor is not known, or a file has no part for it.
 */
export function thinInputs<Input extends { readonly name: string; readonly bytes: Uint8Array }>(
  inputs: readonly Input[],
  machineOf: (inputs: readonly Input[]) => number | undefined,
): readonly Input[] {
  const fat = inputs.filter(({ bytes }) => isFat(bytes));
  if (fat.length === 0) return inputs;
  const slices = new Map(fat.map((input) => [input, slicesOf(input.name, input.bytes)]));
  const wanted = machineOf(inputs.filter((input) => !slices.has(input)));
  const machines = [Machine.X86_64, Machine.AARCH64].filter((machine) =>
    wanted === undefined
      ? [...slices.values()].every((parts) => parts.some((part) => part.machine === machine))
      : machine === wanted
  );
  const [machine, ...others] = machines;
  if (others.length > 0) {
    throw unsupported(fat[0].name, "it is for several processors, and no other input tells which is meant", {
      hint: `link it with an object for one processor, or give the parts: ${THIN}`,
    });
  }
  return inputs.map((input) => {
    const parts = slices.get(input);
    if (parts === undefined) return input;
    const own = parts.filter((part) => part.machine === machine && machine !== undefined);
    const [part] = own.sort((a, b) => a.subtype - b.subtype);
    if (part === undefined) {
      throw unsupported(input.name, "it has no part for the processor of the other inputs", {
        hint: "compile all inputs for one processor",
      });
    }
    return { ...input, bytes: part.bytes };
  });
}
