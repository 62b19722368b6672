import { assertEquals } from "@std/assert";
import { integrityOf } from "../../../src/smf/integrity.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { addModule, TemporaryDirectory, unhashed } from "../../support/testing.ts";
import { smf } from "../../support/smf_command.ts";

Deno.test("hash prints the integrity string and both hashes", async () => {
  using folder = new TemporaryDirectory();
  const bytes = addModule({ sourceHash: 0xabcn });
  const path = folder.file("a.smf", bytes);
  const moduleHash = `0x${parseSmf(bytes).header.moduleHash.toString(16)}`;
  assertEquals(await smf("hash", path), {
    code: 0,
    out: [
      `integrity    ${integrityOf(bytes)}`,
      `module hash  0x${moduleHash.slice(2).padStart(16, "0")}, checked`,
      "source hash  0x0000000000000abc",
    ],
    err: [],
  });
  assertEquals(JSON.parse((await smf("hash", path, "--json")).out[0]), {
    version: 1,
    command: "hash",
    file: path,
    integrity: integrityOf(bytes),
    moduleHash,
    checked: true,
    sourceHash: "0xabc",
  });
});

Deno.test("missing hashes are shown as none", async () => {
  using folder = new TemporaryDirectory();
  const { out } = await smf("hash", folder.file("a.smf", unhashed(addModule())));
  assertEquals(out.slice(1), ["module hash  none", "source hash  none"]);
});
