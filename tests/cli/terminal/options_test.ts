import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import {
  type OptionNames,
  type Options,
  readOptions,
  singleFile,
} from "../../../src/cli/terminal/options.ts";

const NAMES: OptionNames = {
  values: ["output"],
  lists: ["keep"],
  switches: ["json"],
  alias: { o: "output" },
};
const quiet = { print: () => {}, complain: () => {} };
const read = (...args: string[]): Options => readOptions(args, NAMES, quiet);

Deno.test("options may stand anywhere, long or short, with = or without", () => {
  for (
    const args of [["a", "-o", "b", "--json"], ["--output=b", "a", "--json"], [
      "--json",
      "--output",
      "b",
      "a",
    ]]
  ) {
    const options = read(...args);
    assertEquals([options.rest, options.value("output"), options.has("json")], [["a"], "b", true]);
  }
  assertEquals(read("-o", "a", "-o", "b").value("output"), "b");
  assertEquals(read().value("output"), undefined);
  assertEquals(read().has("json"), false);
});

Deno.test("arguments stay as they are: numbers, negative numbers, and everything after --", () => {
  assertEquals(read("007", "-5", "-.5", "1e3").rest, ["007", "-5", "-.5", "1e3"]);
  assertEquals(read("a", "--", "--json", "-o").rest, ["a", "--json", "-o"]);
  assertEquals(read("a", "--", "-5").rest, ["a", "-5"]);
  assertEquals(read("--keep", "-5", "--keep", "x").list("keep"), ["-5", "x"]);
});

Deno.test("unknown options, missing values and wrong colours are usage errors", () => {
  const cases: [args: string[], message: string][] = [
    [["--frob"], "there is no option '--frob'"],
    [["--jsn"], "there is no option '--jsn' (did you mean '--json'?); the options are --output, --keep"],
    [["--keeps=a"], "there is no option '--keeps' (did you mean '--keep'?)"],
    [["-x"], "there is no option '-x'"],
    [["--output"], "--output needs a value"],
    [["--output="], "--output needs a value"],
    [["--keep", "a", "--keep="], "--keep needs a value"],
    [["--color", "blue"], "--color takes auto, always or never, not 'blue'"],
  ];
  for (const [args, message] of cases) assertThrows(() => read(...args), UsageError, message);
});

Deno.test("a command with one file takes exactly one", () => {
  assertEquals(singleFile(read("a")), "a");
  assertEquals(singleFile(read("-")), "-");
  assertThrows(() => singleFile(read()), UsageError, "name a file");
  assertThrows(() => singleFile(read("a", "b")), UsageError, "'b' is one too many");
});
