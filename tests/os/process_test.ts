import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { processSecret } from "../../src/os/process.ts";
import { runChild } from "../support/modules.ts";

const SCRIPT = new URL("./secret_child.ts", import.meta.url);

Deno.test("the secret is 64 bits and the same at every call", () => {
  const secret = processSecret();
  assertEquals(BigInt.asUintN(64, secret), secret);
  assertEquals(processSecret(), secret);
});

Deno.test("a Worker of this process finds the same secret", async () => {
  const worker = new Worker(SCRIPT, { type: "module" });
  const secret = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  worker.terminate();
  assertEquals(secret, processSecret());
});

Deno.test("another process has another secret", async () => {
  const children = await Promise.all([runChild(SCRIPT), runChild(SCRIPT)]);
  const secrets = children.map(({ stdout }) => BigInt(stdout.trim()));
  assert(secrets.every((secret) => secret !== processSecret()));
  assertNotEquals(secrets[0], secrets[1]);
});
