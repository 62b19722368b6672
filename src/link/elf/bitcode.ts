/**
 * LLVM bitcode, which compilers write in place of objects for link-time optimization. The linker refuses it, and so has
 * to know it.
 */
import { decodeText } from "./bytes.ts";

/** `BC` and 0xc0de, and the wrapper around it that tools of Apple write; as big-endian numbers. */
const [BITCODE, WRAPPER] = [0x4243_c0de, 0xdec0_170b];

/** Whether the bytes begin as bitcode does. */
export function isBitcode(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const word = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  return word === BITCODE || word === WRAPPER;
}

/** Whether bitcode is for a system of Apple, whose names of C have an underscore: its table of texts has the target. */
export function isAppleBitcode(bytes: Uint8Array): boolean {
  return isBitcode(bytes) && decodeText(bytes, 0, bytes.length).includes("-apple-");
}
