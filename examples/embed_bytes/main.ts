/**
 * Embeds native code in the program: imports modules for three systems as bytes,
 * so there is no file to find or to read at run time.
 *
 *     deno run --unstable-raw-imports --allow-ffi examples/embed_bytes/main.ts
 *
 * `deno compile` with the same flags puts the bytes into the executable. On
 * Windows, calls are fast with `--allow-read --allow-write`, and slower without.
 */

import { ModuleRegistry } from "@simple/loader";
import aarch64 from "./linux-aarch64/crc32.smf" with { type: "bytes" };
import linux from "./linux-x86_64/crc32.smf" with { type: "bytes" };
import windows from "./windows-x86_64/crc32.smf" with { type: "bytes" };

const builds: Readonly<Record<string, Uint8Array>> = {
  "linux-aarch64": aarch64,
  "linux-x86_64": linux,
  "windows-x86_64": windows,
};
const bytes = builds[`${Deno.build.os}-${Deno.build.arch}`];

if (bytes === undefined) {
  console.log(`No module for ${Deno.build.os} on ${Deno.build.arch} is embedded`);
} else {
  using registry = new ModuleRegistry();
  const { symbols } = registry.loadBytes("crc32", bytes).bind({
    crc32: { parameters: ["buffer", "usize"], result: "u32" },
  });
  const text = new TextEncoder().encode("123456789");
  const crc = symbols.crc32(text, BigInt(text.length)).toString(16);
  console.log(`crc32 of "123456789" is ${crc}, by a module of ${bytes.length} bytes`);
  if (crc !== "cbf43926") throw new Error("the checksum is wrong");
}
