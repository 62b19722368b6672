import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import { Progress, readInput, replaceFile } from "../../../src/cli/terminal/files.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

Deno.test("who waits at a terminal is told what for, once it takes long", () => {
  const told = (terminal: boolean, patience: number): string[] => {
    const lines: string[] = [];
    const terminals = { print: terminal, complain: terminal };
    const progress = new Progress({ print() {}, complain: (line) => lines.push(line), terminals }, patience);
    progress.step("reading");
    return lines;
  };
  assertEquals(told(true, Infinity), []);
  assertEquals(told(false, 0), []);
  assertMatch(told(true, 0)[0], /^after \d+\.\d s: reading$/);
});

Deno.test("a file that cannot be read is wrong usage, with its name", () => {
  using folder = new TemporaryDirectory();
  assertEquals(readInput(folder.file("a", new Uint8Array([1, 2]))), new Uint8Array([1, 2]));
  assertThrows(() => readInput(folder.join("none")), UsageError, `${folder.join("none")}: Cannot read`);
  assertThrows(() => readInput(folder.path), UsageError, "Cannot read");
  const sparse = folder.file("sparse");
  Deno.truncateSync(sparse, 2 ** 30 + 1);
  assertThrows(() => readInput(sparse), UsageError, "more than 1073741824 bytes");
});

Deno.test("a file is replaced as a whole, or not at all", () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a", new Uint8Array([1]));
  replaceFile(path, new Uint8Array([2, 3]));
  assertEquals(Deno.readFileSync(path), new Uint8Array([2, 3]));
  assertThrows(() => replaceFile(folder.join("no/b"), new Uint8Array(1)), UsageError, "Cannot write");
  Deno.mkdirSync(folder.join("taken"));
  Deno.writeFileSync(folder.join("taken/file"), new Uint8Array(1));
  assertThrows(() => replaceFile(folder.join("taken"), new Uint8Array(1)), UsageError, "Cannot write");
  assert([...Deno.readDirSync(folder.path)].every(({ name }) => !name.endsWith(".tmp")));
});
