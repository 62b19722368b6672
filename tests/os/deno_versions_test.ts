import { assertEquals } from "@std/assert";
import { isBefore } from "../../src/os/deno_versions.ts";

Deno.test("versions are compared part by part, as numbers, as far as the parts go", () => {
  const before = ["2.7.5", "2.6.9", "2.3.0", "1.46.3"];
  const after = ["2.7.6", "2.7.6-rc.1", "2.7.14", "2.10.0", "3.0.0", "2.9.6+4f5a2b1"];
  assertEquals(before.map((version) => isBefore(version, 2, 7, 6)), before.map(() => true));
  assertEquals(after.map((version) => isBefore(version, 2, 7, 6)), after.map(() => false));
  assertEquals(["2.2.15", "2.3.0", "2.10.0"].map((version) => isBefore(version, 2, 3)), [true, false, false]);
});

Deno.test("a version in another form is newer than all", () => {
  assertEquals(["canary", "", "2.x.1"].map((version) => isBefore(version, 2, 7, 6)), [false, false, false]);
});
