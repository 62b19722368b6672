/**
 * Hosts plugins that others wrote. Each plugin has the bytes that were approved
 * (`integrity`), imports only names that the host allows (`allowImports`), and
 * calls back into JavaScript (`imports`).
 *
 *     deno run --allow-ffi --allow-read examples/plugin_host/main.ts
 *
 * This keeps out changed and greedy plugins. It is not a sandbox: if you approve
 * a plugin, you trust its code.
 */

import { type LoadedModule, LoadError, ModuleRegistry } from "@simple/loader";

/** Integrity strings by plugin and system, as in a lock file. */
type Lock = Readonly<Record<string, Readonly<Record<string, string>>>>;

const API_VERSION = 1;
const LINE_WIDTH = 24;

const target = `${Deno.build.os}-${Deno.build.arch}`;
const folder = new URL(".", import.meta.url);
const lock: Lock = JSON.parse(Deno.readTextFileSync(new URL("plugins.json", folder)));

/** Plugins may import two JavaScript functions, and nothing else of the process. */
using registry = new ModuleRegistry({
  imports: {
    host_log: {
      parameters: ["pointer", "u32"],
      result: "void",
      callback: (text: Deno.PointerObject, length: number) => {
        const bytes = new Uint8Array(length);
        new Deno.UnsafePointerView(text).copyInto(bytes);
        console.log(`  log: ${new TextDecoder().decode(bytes)}`);
      },
    },
    host_setting: {
      parameters: ["i32"],
      result: "i32",
      callback: (key: number) => key === 1 ? LINE_WIDTH : 0,
    },
  },
  allowImports: ["host_*"],
});

/** Loads and checks a plugin; throws if its bytes were not approved, or if it imports too much. */
function open(name: string, bytes: Uint8Array): LoadedModule {
  const module = registry.loadBytes(name, bytes, { integrity: lock[name]?.[target] ?? "" });
  const { symbols } = module.bind({ plugin_api: { type: "i32" } });
  if (symbols.plugin_api !== API_VERSION) {
    throw new Error(`${name} needs version ${symbols.plugin_api} of the API`);
  }
  return module;
}

let text = "The quick brown fox jumps over the lazy dog.";
let refused = 0;

function run(name: string, bytes: Uint8Array): void {
  console.log(`Plugin '${name}'`);
  try {
    using plugin = open(name, bytes);
    const { symbols } = plugin.bind({ plugin_run: { parameters: ["buffer", "u32"], result: "i32" } });
    const buffer = new TextEncoder().encode(text);
    console.log(`  changed ${symbols.plugin_run(buffer, buffer.length)} of ${buffer.length} characters`);
    text = new TextDecoder().decode(buffer);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    console.log(`  refused, ${error.kind}: ${error.message}`);
    refused++;
  }
}

if (lock.shout[target] === undefined) {
  console.log(`There are no plugins for ${target}`);
} else {
  const bytesOf = (name: string) => Deno.readFileSync(new URL(`${target}/${name}.smf`, folder));
  run("shout", bytesOf("shout"));
  run("wrap", bytesOf("wrap"));

  // This one imports `getenv`; the loader refuses it before it maps anything.
  run("thief", bytesOf("thief"));

  // This one was changed after its approval; a single byte is enough.
  registry.unload("shout");
  const changed = bytesOf("shout");
  changed[changed.length - 1] ^= 1;
  run("shout", changed);

  console.log(text);
  if (text !== "THE QUICK BROWN FOX\nJUMPS OVER THE LAZY DOG." || refused !== 2) {
    throw new Error("the result is wrong");
  }
}
