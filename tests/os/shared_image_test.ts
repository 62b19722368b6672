// Machine code of the loader's own that all isolates of a process share.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { bytesAt } from "../../src/os/native_memory.ts";
import { pointerCall } from "../../src/os/pointer.ts";
import { findImage } from "./shared_image_worker.ts";

const IS_WINDOWS = Deno.build.os === "windows" && Deno.build.arch === "x86_64";

function windowsTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name: IS_WINDOWS ? name : `${name} (SKIPPED: needs Windows)`, ignore: !IS_WINDOWS, fn });
}

/** An identity that no other run of a test has used in this process. */
let identity = 0x5eed_0000n;

function inWorker(identity: bigint): Promise<bigint | null> {
  const worker = new Worker(new URL("./shared_image_worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve } = Promise.withResolvers<bigint | null>();
  worker.onmessage = ({ data }) => {
    worker.terminate();
    resolve(data);
  };
  worker.postMessage(identity);
  return promise;
}

windowsTest("all isolates find one image, which runs, and has its imports", async () => {
  const own = ++identity;
  const found = await Promise.all([inWorker(own), inWorker(own), inWorker(own)]);
  const address = findImage(own);
  assert(address !== null);
  assertEquals(found, [address, address, address]);
  assertEquals(pointerCall(address, { parameters: [], result: "i32" })(), 42);
  const words = new BigUint64Array(bytesAt(address + 4096n, 16).buffer);
  assertEquals(words[0], own);
  assert(words[1] !== 0n);
});

windowsTest("another image is elsewhere", () => {
  assertNotEquals(findImage(++identity), findImage(++identity));
});

windowsTest("an image whose imports the system lacks is refused, again and again", () => {
  const own = ++identity;
  assertEquals(findImage(own, ["NoSuchFunction"]), null);
  assertEquals(findImage(own, ["NoSuchFunction"]), null);
});
