import { assertEquals } from "@std/assert";
import { splitVersion } from "../../../src/load/imports/symbol_version.ts";

Deno.test("names with a version are taken apart, and names that only contain @ are not", () => {
  const cases: [name: string, base: string, version: string | undefined][] = [
    ["memcpy", "memcpy", undefined],
    ["memcpy@GLIBC_2.2.5", "memcpy", "GLIBC_2.2.5"],
    ["memcpy@@GLIBC_2.14", "memcpy", "GLIBC_2.14"],
    ["f@V-1+x", "f", "V-1+x"],
    ["f@", "f@", undefined],
    ["@V", "@V", undefined],
    ["_Sleep@4", "_Sleep@4", undefined],
    ["?f@C@@QEAAXXZ", "?f@C@@QEAAXXZ", undefined],
  ];
  for (const [name, base, version] of cases) assertEquals(splitVersion(name), { base, version }, name);
});
