import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import { styleFor } from "../../../src/cli/terminal/style.ts";

const looks = (option: string | undefined, isTerminal: boolean): string =>
  styleFor(option, isTerminal).bad("x");

Deno.test("colours are used on terminals, unless --color says otherwise", () => {
  assertEquals(looks(undefined, false), "x");
  assertEquals(looks("auto", false), "x");
  assertEquals(looks("never", true), "x");
  assertNotEquals(looks("always", false), "x");
  // The tests may run with NO_COLOR.
  assertEquals(looks("auto", true) === "x", Deno.noColor);
  assertThrows(() => styleFor("", true), UsageError);
});
