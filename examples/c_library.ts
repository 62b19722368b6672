/**
 * From C to a JavaScript call and back: a C file is compiled to an object, the
 * object is linked to a module, and the module calls a JavaScript function.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=cc examples/c_library.ts
 *
 * Without a C compiler the object that is committed beside the source is used.
 */

import { linkObjects, ModuleRegistry } from "@simple/loader";
import { fromFileUrl } from "@std/path";

const source = fromFileUrl(new URL("c_library/visit.c", import.meta.url));
const object = Deno.makeTempFileSync({ suffix: ".o" });
try {
  // C source → object.
  const compiled = await compile(source, object);
  const bytes = compiled ? Deno.readFileSync(object) : Deno.readFileSync(source.replace(/c$/, "o"));

  // Object → module.
  const { bytes: module, map } = linkObjects([{ name: "visit.o", bytes }]);
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
    libraries: Deno.build.os === "linux" ? ["libc.so.6"] : [],
  });
  const { symbols } = registry.loadBytes("visit", module).bind({
    visit_primes: { parameters: ["i32"], result: "i32" },
  });
  console.log(`${symbols.visit_primes(20)} primes below 20`);
} finally {
  Deno.removeSync(object);
}

/** @returns whether there was a compiler. */
async function compile(source: string, object: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("cc", { args: ["-O2", "-fPIC", "-c", source, "-o", object] })
      .output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
