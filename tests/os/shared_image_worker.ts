/** Finds or makes an image, and posts its address. */
import { findOrMakeImage } from "../../src/os/shared_image.ts";

const PAGE = 4096;

/** An image of one function, which returns 42, and of a table. */
export function findImage(identity: bigint, imports: readonly string[] = ["Sleep"]): bigint | null {
  const bytes = () => Uint8Array.of(0xb8, 42, 0, 0, 0, 0xc3);
  return findOrMakeImage({ identity, size: 2 * PAGE, code: PAGE, table: PAGE, bytes, imports });
}

const isWorker = !("Window" in self);
if (isWorker) {
  const worker = self as unknown as Worker;
  worker.addEventListener("message", ({ data }) => worker.postMessage(findImage(data)));
}
