import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Expectation } from "../../../fixtures/recipes/malformed.ts";
import { nextStep } from "../../../src/cli/terminal/next_steps.ts";
import { fromFileUrl } from "@std/path";
import { smf } from "../../support/smf_command.ts";

const FOLDER = fromFileUrl(new URL("../../../fixtures/malformed/", import.meta.url));
const MANIFEST: Readonly<Record<string, Expectation>> = JSON.parse(
  Deno.readTextFileSync(`${FOLDER}manifest.json`),
);

Deno.test("every file that is bad by itself is refused with a reason and a next step", async () => {
  for (const [name, { stage, message }] of Object.entries(MANIFEST)) {
    if (stage !== "parse") continue;
    const { code, out, err } = await smf("nm", FOLDER + name);
    assertEquals([code, out, err.length], [1, [], 2], name);
    assert(err[0].startsWith(`${FOLDER}${name}: Cannot `), err[0]);
    assertStringIncludes(err[0], message);
    assert(/^next: \w.{20,}/.test(err[1]), err[1]);
    assert(!err[1].endsWith("."), err[1]);
  }
});

Deno.test("the next step is about this problem, where more can be said than of its kind", () => {
  const cases: [kind: Parameters<typeof nextStep>[0]["kind"], message: string, step: string][] = [
    [
      "InvalidFormat",
      "Cannot read the file: it is an ELF file, to be linked into a module first",
      "smf link",
    ],
    ["InvalidFormat", "Cannot read the file: it is empty", "interrupted"],
    ["InvalidFormat", "something else", "its writer has a bug"],
    ["RelocationFailed", "the value does not fit; compile with -fPIC", "-fPIC"],
    ["UndefinedSymbol", "nobody defines 'sin'", "--library libm.so.6"],
  ];
  for (const [kind, message, step] of cases) assertStringIncludes(nextStep({ kind, message }), step);
});
