import { assert, assertEquals } from "@std/assert";
import { type Requirements, verifyModule } from "../../../src/cli/analysis/verify.ts";
import { LoadError } from "../../../src/errors/load_error.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../../src/load/runtime/host.ts";
import { SectionType } from "../../../src/smf/enums.ts";
import { hostBuilder } from "../../support/testing.ts";
import { BAD_INPUTS, GOOD, ODD_INPUTS } from "../../support/bad_inputs.ts";

const HERE: Requirements = {
  host: { platform: HOST_PLATFORM, arch: HOST_ARCH },
  provided: new Set(),
  noUndefined: true,
};

/** The findings of level "error". */
function errorsOf(bytes: Uint8Array): LoadError[] {
  return verifyModule(bytes, HERE).list.flatMap(({ level, problem }) =>
    level === "error" && problem instanceof LoadError ? [problem] : []
  );
}

Deno.test("the findings for every bad input contain its error, with a next step", () => {
  for (const { row, what, bytes, kind, data, resolver } of BAD_INPUTS) {
    // Only a loader knows the address of an import, and whether it is in range.
    if (resolver !== undefined) continue;
    const errors = errorsOf(bytes);
    const found = errors.find((error) =>
      error.kind === kind && (data.offset === undefined || error.data.offset === data.offset)
    );
    assert(found !== undefined, `row ${row}, ${what}: ${errors}`);
    assert(found.hint.length > 20, found.message);
  }
});

Deno.test("unusual but sound inputs have no errors", () => {
  for (const { row, what, bytes } of [...ODD_INPUTS, { row: 0, what: "good", bytes: GOOD }]) {
    assertEquals(errorsOf(bytes), [], `row ${row}, ${what}`);
  }
});

Deno.test("the sections of libraries and homes are checked, and known", () => {
  const findings = (type: number, bytes: Uint8Array): string[] => {
    const builder = hostBuilder();
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
    builder.section({ name: ".more", type, bytes });
    return verifyModule(builder.build(), HERE).list.map(({ level, problem }) => `${level}: ${problem}`);
  };
  for (const type of [SectionType.HostLibraries, SectionType.Homes]) {
    assertEquals(findings(type, new Uint8Array(0)), []);
    const [finding, ...more] = findings(type, new Uint8Array([1, 2, 3]));
    assert(/^error: LoadError: Cannot read (?:homes|host libraries)/.test(finding), finding);
    assertEquals(more, []);
  }
});
