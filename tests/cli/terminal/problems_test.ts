import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Expectation } from "../../../fixtures/recipes/malformed.ts";
import { readOptions } from "../../../src/cli/terminal/options.ts";
import { errorJson, reportModuleError } from "../../../src/cli/terminal/problems.ts";
import { LoadError, NEXT_STEPS } from "../../../src/errors/load_error.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { fromFileUrl } from "@std/path";
import { smf } from "../../support/smf_command.ts";

const FOLDER = fromFileUrl(new URL("../../../fixtures/malformed/", import.meta.url));
const MANIFEST: Readonly<Record<string, Expectation>> = JSON.parse(
  Deno.readTextFileSync(`${FOLDER}manifest.json`),
);
const SUGGESTION = "; smf verify FILE lists every problem";

/** The hint of the error that parsing a file throws. */
function hintOf(path: string): string {
  try {
    parseSmf(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof LoadError) return error.hint;
    throw error;
  }
  throw new Error(`${path} is sound`);
}

Deno.test("every malformed file is refused with a reason and a next step", async () => {
  for (const [name, { stage, kind, message }] of Object.entries(MANIFEST)) {
    if (stage !== "parse") continue;
    const { code, out, err } = await smf("nm", FOLDER + name);
    assertEquals([code, out, err.length], [1, [], 2], name);
    assert(err[0].startsWith(`${FOLDER}${name}: Cannot `), err[0]);
    assertStringIncludes(err[0], message);
    assert(/^next: \w.{20,}/.test(err[1]), err[1]);
    assert(!err[1].endsWith("."), err[1]);
    const suggestion = kind === "InvalidFormat" ? SUGGESTION : "";
    assertEquals(err[1], `next: ${hintOf(FOLDER + name)}${suggestion}`);
  }
});

Deno.test("the next step is that of the problem, if it has its own, else that of its kind", async () => {
  const cases: [args: string[], step: string][] = [
    [["nm", "fixtures/c/arith.o"], "smf link"],
    [["nm", `${FOLDER}row01_empty.smf`], "interrupted"],
    [["nm", `${FOLDER}row12_alignment_3.smf`], NEXT_STEPS.InvalidFormat],
    [["verify", `${FOLDER}row28_pc32.smf`, "--for", "linux-x86_64"], "-fPIC"],
    [["verify", "fixtures/importer.smf", "--no-undefined"], "--with FILE"],
  ];
  for (const [args, step] of cases) {
    const { out, err } = await smf(...args);
    const lines = [...out, ...err].filter((line) => line.trim().startsWith("next: "));
    assertStringIncludes(lines[0], step, args.join(" "));
  }
});

Deno.test("several problems have a line each, and each different next step has one", () => {
  const errors = [
    new LoadError("InvalidFormat", "Cannot read a", { path: "a.smf", hint: "look at it" }),
    new LoadError("InvalidFormat", "Cannot read b", { offset: 3, hint: "build it again" }),
    new LoadError("InvalidFormat", "Cannot read c", { path: "c.smf", offset: 4, hint: "look at it" }),
  ];
  const all = new LoadError("InvalidFormat", "Cannot read a", { hint: "look at it" }, {
    cause: new AggregateError(errors),
  });
  const lines: string[] = [];
  const { writer } = readOptions([], {}, { print: () => {}, complain: (line) => lines.push(line) });
  reportModuleError(all, "m.smf", writer);
  assertEquals(lines, [
    "a.smf: Cannot read a",
    "m.smf: Cannot read b (offset 0x3)",
    "c.smf: Cannot read c (offset 0x4)",
    `next: look at it${SUGGESTION}`,
    `next: build it again${SUGGESTION}`,
  ]);
});

Deno.test("a problem's JSON has its facts, and its hint once", () => {
  const error = new LoadError("Busy", "Cannot close", { path: "a.smf", hint: "wait" });
  const message = "Cannot close (file 'a.smf')";
  assertEquals(errorJson(error), { kind: "Busy", message, path: "a.smf", nextStep: "wait" });
  assertEquals(errorJson(new LoadError("Busy", "Cannot close")), {
    kind: "Busy",
    message: "Cannot close",
    nextStep: NEXT_STEPS.Busy,
  });
});
