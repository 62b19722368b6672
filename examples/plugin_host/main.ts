/**
 * Hosts plugins that others wrote: those that a trusted key has signed (`smf sign`), which import
 * only what the host lets them (`allowImports`), and call back into JavaScript (`imports`).
 *
 *     deno run --allow-ffi --allow-read examples/plugin_host/main.ts
 *
 * With files as arguments it runs these plugins. This keeps out plugins of strangers, changed ones
 * and greedy ones. It is not a sandbox: if you trust a key, you trust the code of its owner.
 */

import { LoadError, parseSmf } from "@simple/loader";
import { makeKeys, signModule } from "@simple/loader/format";
import { PluginHost } from "./host.ts";

const folder = new URL(".", import.meta.url);
const target = `${Deno.build.os}-${Deno.build.arch}`;

using host = new PluginHost({
  keys: [Deno.readTextFileSync(new URL("publisher.pub", folder))],
  lineWidth: 24,
  log: (line) => console.log(`  log: ${line}`),
});

let text = "The quick brown fox jumps over the lazy dog.";
const refused: string[] = [];

function run(name: string, bytes: Uint8Array): void {
  console.log(`Plugin '${name}'`);
  try {
    text = host.run(name, bytes, text);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    console.log(`  refused, ${error.kind}: ${error.message}\n  next: ${error.hint}`);
    refused.push(error.kind);
  }
}

/** One plugin after the other; only two of them may change the text. */
async function demonstrate(): Promise<void> {
  const bytesOf = (name: string) => Deno.readFileSync(new URL(`${target}/${name}.smf`, folder));
  run("shout", bytesOf("shout"));
  run("wrap", bytesOf("wrap"));

  // The publisher has signed this one, too, but it imports `getenv`.
  run("thief", bytesOf("thief"));

  // One that nobody has signed, and the same one, signed by a key that the host does not trust.
  const unsigned = bytesOf("stranger");
  run("stranger", unsigned);
  const { privateKey } = await makeKeys();
  run("stranger, signed by itself", await signModule(unsigned, privateKey));

  // One that was changed after the publisher had signed it; a single bit of its code is enough.
  const changed = bytesOf("shout");
  changed[parseSmf(changed).sections[0].offset] ^= 1;
  changed.fill(0, 0x40, 0x48); // the hash in its header, which anybody can leave out
  run("shout, changed", changed);

  console.log(text);
  if (text !== "THE QUICK BROWN FOX\nJUMPS OVER THE LAZY DOG." || refused.length !== 4) {
    throw new Error("the result is wrong");
  }
}

if (Deno.args.length > 0) {
  for (const path of Deno.args) run(path, Deno.readFileSync(path));
  console.log(text);
  if (refused.length > 0) Deno.exitCode = 1;
} else {
  try {
    await demonstrate();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`There are no plugins for ${target}`);
  }
}
