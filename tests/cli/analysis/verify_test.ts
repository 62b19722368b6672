import { assert, assertEquals } from "@std/assert";
import { type Examination, findingsOf } from "../../../src/cli/analysis/verify.ts";
import { nextStep } from "../../../src/cli/terminal/next_steps.ts";
import { LoadError } from "../../../src/errors.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../../src/load/runtime/host.ts";
import { BAD_INPUTS, GOOD, ODD_INPUTS } from "../../support/bad_inputs.ts";

const HERE: Examination = {
  host: { platform: HOST_PLATFORM, arch: HOST_ARCH },
  provided: new Set(),
  mustBeDefined: true,
};

/** The errors among the findings. */
function errorsOf(bytes: Uint8Array): LoadError[] {
  return findingsOf(bytes, HERE).list.flatMap(({ level, problem }) =>
    level === "error" && problem instanceof LoadError ? [problem] : []
  );
}

Deno.test("every bad input has its error among the findings, and a next step", () => {
  for (const { row, what, bytes, kind, data, resolver } of BAD_INPUTS) {
    // Where an import will be, and whether that is near, only a loader knows.
    if (resolver !== undefined) continue;
    const errors = errorsOf(bytes);
    const found = errors.find((error) =>
      error.kind === kind && (data.offset === undefined || error.data.offset === data.offset)
    );
    assert(found !== undefined, `row ${row}, ${what}: ${errors}`);
    assert(nextStep(found).length > 20, found.message);
  }
});

Deno.test("what only looks bad has no errors among the findings", () => {
  for (const { row, what, bytes } of [...ODD_INPUTS, { row: 0, what: "good", bytes: GOOD }]) {
    assertEquals(errorsOf(bytes), [], `row ${row}, ${what}`);
  }
});
