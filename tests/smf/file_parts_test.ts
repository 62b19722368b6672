// A file in parts: the same bytes as one array, zeros between the parts included.
import { assertEquals } from "@std/assert";
import { FileParts } from "../../src/smf/file_parts.ts";

Deno.test("parts come in order of their offsets, with zeros between them and at the end", () => {
  const file = new FileParts(12);
  file.add(6, new Uint8Array([3, 4]));
  file.add(3, new Uint8Array(0));
  file.add(1, new Uint8Array([1, 2]));
  const bytes = new Uint8Array([0, 1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 0]);
  assertEquals(file.join(), bytes);
  assertEquals([...file].flatMap((part) => [...part]), [...bytes]);
});

Deno.test("parts that touch have nothing between them", () => {
  const file = new FileParts(3);
  file.add(0, new Uint8Array([1]));
  file.add(1, new Uint8Array([2, 3]));
  assertEquals([...file].map((part) => [...part]), [[1], [2, 3]]);
});
