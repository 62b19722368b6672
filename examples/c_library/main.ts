/**
 * Calls C from JavaScript, and JavaScript from C: compiles a C file, links the
 * object to a module, and loads the module with a JavaScript function to call.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=cc examples/c_library/main.ts
 *
 * Without a C compiler it uses the object beside the source.
 */

import { linkObjects, ModuleRegistry } from "@simple/loader";
import { fromFileUrl } from "@std/path";

const source = fromFileUrl(new URL("visit.c", import.meta.url));

function main(object: Uint8Array): void {
  // Links the object to a module.
  const { bytes: module, map } = linkObjects([{ name: "visit.o", bytes: object }]);
  console.log(
    `Linked ${map.exports.map(({ name }) => name).join(", ")}; imports ${
      map.imports.map(({ name }) => name).join(", ")
    }`,
  );

  // Loads the module, with a JavaScript function as one of its imports.
  using registry = new ModuleRegistry({
    imports: {
      visit: {
        parameters: ["i32"],
        result: "void",
        callback: (prime: number) => console.log(`  prime ${prime}`),
      },
    },
    libraries: ["libc.so.6"],
  });
  const { symbols } = registry.loadBytes("visit", module).bind({
    visit_primes: { parameters: ["i32"], result: "i32" },
  });
  console.log(`${symbols.visit_primes(20)} primes below 20`);
}

/** Compiles the C source to an object; returns undefined if there is no compiler. */
async function compile(): Promise<Uint8Array | undefined> {
  const object = await Deno.makeTempFile({ suffix: ".o" });
  try {
    const { success, stderr } = await new Deno.Command("cc", {
      args: ["-O2", "-fPIC", "-c", source, "-o", object],
    })
      .output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return await Deno.readFile(object);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    await Deno.remove(object);
  }
}

// Compilers on other systems do not make ELF objects.
const object = Deno.build.os !== "linux" ? undefined : await compile() ??
  (Deno.build.arch === "x86_64" ? Deno.readFileSync(source.replace(/c$/, "o")) : undefined);
if (object === undefined) console.log("No C compiler that makes ELF objects for this system");
else main(object);
