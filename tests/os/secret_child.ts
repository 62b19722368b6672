/** Tells the process's secret: to whoever started this as a Worker, else on the standard output. */
import { processSecret } from "../../src/os/process.ts";

const scope = globalThis as unknown as { postMessage?: (message: unknown) => void };
if (typeof scope.postMessage === "function") scope.postMessage(processSecret());
else console.log(String(processSecret()));
