import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import { readInput, replaceFile } from "../../../src/cli/terminal/files.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

Deno.test("a file that cannot be read is a usage error with its name", () => {
  using folder = new TemporaryDirectory();
  assertEquals(readInput(folder.file("a", new Uint8Array([1, 2]))), new Uint8Array([1, 2]));
  assertThrows(
    () => readInput(folder.join("none")),
    UsageError,
    `${folder.join("none")}: Cannot read the file: `,
  );
  assertThrows(() => readInput(folder.path), UsageError, "Cannot read the file: ");
  const sparse = folder.file("sparse");
  Deno.truncateSync(sparse, 2 ** 30 + 1);
  assertThrows(() => readInput(sparse), UsageError, "more than 1073741824 bytes");
});

Deno.test("a file is replaced completely or not at all", () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a", new Uint8Array([1]));
  replaceFile(path, new Uint8Array([2, 3]));
  assertEquals(Deno.readFileSync(path), new Uint8Array([2, 3]));
  assertThrows(
    () => replaceFile(folder.join("no/b"), new Uint8Array(1)),
    UsageError,
    "Cannot write the file: ",
  );
  Deno.mkdirSync(folder.join("taken"));
  Deno.writeFileSync(folder.join("taken/file"), new Uint8Array(1));
  assertThrows(
    () => replaceFile(folder.join("taken"), new Uint8Array(1)),
    UsageError,
    "Cannot write the file: ",
  );
  assert([...Deno.readDirSync(folder.path)].every(({ name }) => !name.endsWith(".tmp")));
});

testWithCompilers(["mkfifo", "cat"], "a pipe is written to, and stays", async (folder) => {
  const pipe = `${folder}/pipe`;
  await compile("mkfifo", [pipe]);
  const reader = new Deno.Command("cat", { args: [pipe], stdout: "piped" }).spawn();
  replaceFile(pipe, new Uint8Array([4, 5]));
  const isFifo = Deno.statSync(pipe).isFifo;
  if (!isFifo) reader.kill();
  assertEquals([isFifo, [...(await reader.output()).stdout]], [true, [4, 5]]);
});
