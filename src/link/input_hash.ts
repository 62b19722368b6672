/** The hash of the inputs of a link. */
import { builtinModule } from "../smf/builtin.ts";

/** Hashes inputs: the first 64 bits of the SHA-256 of all their lengths and bytes. */
export function hashInputs(inputs: readonly { readonly bytes: Uint8Array }[]): bigint {
  const hash = builtinModule<Crypto>("node:crypto", ["createHash"]).createHash("sha256");
  for (const { bytes } of inputs) {
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(bytes.length), true);
    hash.update(new Uint8Array(length.buffer)).update(bytes);
  }
  const digest = hash.digest();
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0);
}

/** The part of `node:crypto` that the linker uses. */
interface Crypto {
  createHash(algorithm: "sha256"): Hash;
}

interface Hash {
  update(bytes: Uint8Array): Hash;
  digest(): Uint8Array;
}
