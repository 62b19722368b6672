// Files are replaced in one step, by bytes or by parts.
import { assertEquals, assertThrows } from "@std/assert";
import { replaceFile } from "../../src/os/replace_file.ts";
import { TemporaryDirectory } from "../support/testing.ts";

Deno.test("a file is written in parts, in their order", () => {
  using folder = new TemporaryDirectory();
  const path = folder.join("a");
  Deno.writeFileSync(path, new Uint8Array(9));
  replaceFile(path, [new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3])]);
  assertEquals(Deno.readFileSync(path), new Uint8Array([1, 2, 3]));
  replaceFile(path, new Uint8Array([4]));
  assertEquals(Deno.readFileSync(path), new Uint8Array([4]));
});

Deno.test("parts that end with an error leave the old file, and nothing beside it", () => {
  using folder = new TemporaryDirectory();
  const path = folder.join("a");
  Deno.writeFileSync(path, new Uint8Array([7]));
  function* broken(): Generator<Uint8Array> {
    yield new Uint8Array([1]);
    throw new Error("broken");
  }
  assertThrows(() => replaceFile(path, broken()), Error, "broken");
  assertEquals(Deno.readFileSync(path), new Uint8Array([7]));
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["a"]);
});
