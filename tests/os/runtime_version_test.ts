import { assertStringIncludes } from "@std/assert";
import { checkDeno } from "../../src/os/runtime_version.ts";
import { assertLoadError } from "../support/testing.ts";

Deno.test("a Deno that is too old is refused in one line, with both versions", () => {
  for (const version of ["1.46.3", "2.0.0", "2.2.15"]) {
    const error = assertLoadError(() => checkDeno(version), "Unsupported");
    assertStringIncludes(error.message, `it needs Deno 2.3 or newer, this is ${version}`);
  }
});

Deno.test("the oldest supported Deno and newer ones are accepted, also before their release", () => {
  for (
    const version of ["2.3.0", "2.10.0", "3.0.0", "2.9.6+4f5a2b1", "2.3.0-rc.1", Deno.version.deno, "canary"]
  ) {
    checkDeno(version);
  }
});

Deno.test("importing the package or the command checks first", () => {
  for (const file of ["mod.ts", "src/cli/main.ts"]) {
    const text = Deno.readTextFileSync(new URL(`../../${file}`, import.meta.url));
    const [, first] = /^import "([^"]+)"|^(?:im|ex)port /m.exec(text) ?? [];
    assertStringIncludes(first ?? "", "os/runtime_version.ts", file);
  }
});
