/** Ends with a module loaded that has registered every kind of function; each would write to standard output. */
import { ModuleRegistry } from "../../../mod.ts";
import { ENDINGS } from "../../support/threads.ts";

const registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
const { symbols } = registry.load(Deno.args[0]).bind(ENDINGS);
// The journal's memory is gone: a function that runs ends the process by a signal.
symbols.write_to(Deno.UnsafePointer.create(8n));
symbols.at_end(1n);
symbols.at_exit();
symbols.at_thread_end(2n);
symbols.make_key();
symbols.set_key(3n);
console.log("registered");
Deno.exit(0);
