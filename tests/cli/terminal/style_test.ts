import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import { styleFor } from "../../../src/cli/terminal/style.ts";

const looks = (option: string | undefined, isTerminal: boolean): string =>
  styleFor(option, isTerminal).bad("x");

Deno.test("colours are for terminals, unless somebody says otherwise", () => {
  assertEquals(looks(undefined, false), "x");
  assertEquals(looks("auto", false), "x");
  assertEquals(looks("never", true), "x");
  assertNotEquals(looks("always", false), "x");
  // Whoever runs the tests may have asked for no colours.
  assertEquals(looks("auto", true) === "x", Deno.noColor);
  assertThrows(() => styleFor("", true), UsageError);
});
