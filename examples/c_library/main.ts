/**
 * From C to a JavaScript call and back: a C file is compiled to an object, the
 * object is linked to a module, and the module calls a JavaScript function.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=cc examples/c_library/main.ts
 *
 * Without a C compiler the object that is committed beside the source is used.
 */

import { linkObjects, ModuleRegistry } from "@simple/loader";
import { fromFileUrl } from "@std/path";

const source = fromFileUrl(new URL("visit.c", import.meta.url));

function main(object: Uint8Array): void {
  // Object → module.
  const { bytes: module, map } = linkObjects([{ name: "visit.o", bytes: object }]);
  console.log(
    `Linked ${map.exports.map(({ name }) => name).join(", ")}; imports ${
      map.imports.map(({ name }) => name).join(", ")
    }`,
  );

  // Module → typed calls, with a JavaScript function as one of its imports.
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

/** C source → object; undefined if there is no compiler. */
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

// Compilers of other systems make objects of another kind than ELF.
const object = Deno.build.os !== "linux" ? undefined : await compile() ??
  (Deno.build.arch === "x86_64" ? Deno.readFileSync(source.replace(/c$/, "o")) : undefined);
if (object === undefined) console.log("No C compiler that makes ELF objects for this system");
else main(object);
