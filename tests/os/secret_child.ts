/** Posts the process's secret if this runs as a Worker; else prints it. */
import { processSecret } from "../../src/os/process.ts";

const scope = globalThis as unknown as { postMessage?: (message: unknown) => void };
if (typeof scope.postMessage === "function") scope.postMessage(processSecret());
else console.log(String(processSecret()));
