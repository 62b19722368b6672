// The options of the linker that are in objects (`.drectve`), as compilers and sources write them.
import { assert, assertEquals } from "@std/assert";
import { addCoffFunction, CoffWriter, Scn } from "../../support/coff_writer.ts";
import { ascii, link, linkFails } from "../../support/objects.ts";

function objectWith(options: string, ...functions: string[]): Uint8Array {
  const writer = new CoffWriter();
  for (const name of functions) addCoffFunction(writer, name, 1);
  writer.section({ name: ".drectve", flags: Scn.INFO, bytes: ascii(options) });
  return writer.build();
}

Deno.test("quotes may be around a value, a part of it, or all of an option", () => {
  // #pragma comment(linker, "\"/EXPORT:f\""), as manifests are asked for.
  const forms = ["/EXPORT:f", '/EXPORT:"f"', '"/EXPORT:f"', "-export:f", '"-export:f"', '/EXPORT:"f",DATA'];
  for (const form of forms) {
    assertEquals(link({ "a.obj": objectWith(`${form} `, "f", "other") }).exportNames(), ["f"], form);
  }
});

Deno.test("objects that tell different values of a fact do not link", () => {
  // #pragma detect_mismatch("_ITERATOR_DEBUG_LEVEL", "2")
  const told = (value: string, name: string) =>
    objectWith(`/FAILIFMISMATCH:"_ITERATOR_DEBUG_LEVEL=${value}" /FAILIFMISMATCH:"own=${name}"`, name);
  const plain = objectWith("", "third");
  const same = objectWith('/FAILIFMISMATCH:"_ITERATOR_DEBUG_LEVEL=2"', "b");
  link({ "a.obj": told("2", "a"), "b.obj": same, "c.obj": plain });
  const error = linkFails({ "a.obj": told("2", "a"), "b.obj": told("0", "b") }, "Incompatible", "a.obj");
  assertEquals(error.data.path, "b.obj");
  assert(error.message.includes("_ITERATOR_DEBUG_LEVEL"), error.message);
  assert(error.hint.includes("the same options"), error.hint);
});
