/**
 * Replaces the native image filter of a web server while it is answering requests: none
 * is lost, and none gets a mixture of both filters.
 *
 *     deno run --allow-ffi --allow-read --allow-net=127.0.0.1 examples/image_filter/main.ts
 *
 * `server.ts` is the server. A request that is in the old filter finishes there; the
 * next one runs the new filter.
 */

import { ModuleRegistry } from "@simple/loader";
import { builtModule, DEFINITIONS, handlerOf } from "./server.ts";

const REQUESTS = 400, AT_ONCE = 16, RELOADS = 8;

async function main(): Promise<void> {
  const [blur, edges] = (["blur", "edges"] as const).map((name) => Deno.readFileSync(builtModule(name)));
  await using registry = new ModuleRegistry();
  using _first = registry.loadBytes("filter", blur);
  using filter = registry.open("filter", DEFINITIONS);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handlerOf(filter));
  const url = `http://127.0.0.1:${server.addr.port}/filtered.bmp`;
  const picture = async (): Promise<string> => {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return String(new Uint8Array(await crypto.subtle.digest("SHA-256", await response.arrayBuffer())));
  };

  const names = new Map([[await picture(), "blurred"]]);
  registry.reload("filter", { bytes: edges }).close();
  names.set(await picture(), "with edges");

  const answers = new Map<string, number>();
  let sent = 0, reloads = 0;
  const visitor = async (): Promise<void> => {
    while (sent < REQUESTS) {
      if (sent++ % (REQUESTS / RELOADS) === 0) {
        registry.reload("filter", { bytes: reloads++ % 2 === 0 ? blur : edges }).close();
      }
      const name = names.get(await picture()) ?? "wrong";
      answers.set(name, (answers.get(name) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));

  for (const [name, count] of answers) console.log(`${count} pictures ${name}`);
  const answered = [...answers.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${answered} of ${REQUESTS} requests answered, ${AT_ONCE} at once, over ${reloads} reloads`);
  if (answered !== REQUESTS || answers.size !== 2 || answers.has("wrong")) {
    throw new Error("a request was lost, or its picture is wrong");
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.log(`The filters are not built for ${Deno.build.os}-${Deno.build.arch}`);
}
