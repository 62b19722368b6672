/** A child that crashes for seed 1, and hangs for other seeds. */
import type { Batch } from "./child.ts";

const { seed, trace }: Batch = JSON.parse(Deno.readTextFileSync(Deno.args[0]));
if (trace !== undefined) Deno.writeFileSync(trace, new Uint8Array([seed!]));
if (seed === 1) Deno.kill(Deno.pid, "SIGKILL");
setInterval(() => {}, 1000);
