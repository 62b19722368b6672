// Every command as a process: help, no arguments, a missing file, a bad file, a pipe.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TemporaryDirectory } from "../support/testing.ts";
import { smfProcess } from "../support/smf_command.ts";

const GOOD = "fixtures/mylib.smf";
const BAD = "fixtures/malformed/row19_name_hash.smf";
const READ = ["--allow-read"];
const LOAD = ["--allow-read", "--allow-ffi"];

/** Commands that read modules: the arguments around the file, and the permissions that they need. */
const READERS: Readonly<Record<string, { before?: string[]; after?: string[]; permissions: string[] }>> = {
  inspect: { permissions: READ },
  nm: { permissions: READ },
  verify: { permissions: READ },
  hash: { permissions: READ },
  diff: { before: [GOOD], permissions: READ },
  convert: { after: ["-o", "never_written.smf"], permissions: READ },
  run: { permissions: LOAD },
  watch: { permissions: LOAD },
};

/** Child processes take seconds under emulation, and nothing here depends on the processor. */
function processTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.arch === "aarch64", fn });
}

for (const [command, { before = [], after = [], permissions }] of Object.entries(READERS)) {
  processTest(`smf ${command} as a process: help, no arguments, a missing file, a bad file`, async () => {
    const [help, nothing, missing, bad] = await Promise.all([
      smfProcess([command, "--help"], { permissions: [] }),
      smfProcess([command], { permissions: [] }),
      smfProcess([command, ...before, "no_such_file.smf", ...after], { permissions }),
      smfProcess([command, ...before, BAD, ...after], { permissions }),
    ]);
    assertEquals([help.code, help.err], [0, []]);
    assertStringIncludes(help.out.join("\n"), `smf ${command} `);
    assertEquals([nothing.code, nothing.out], [2, []]);
    assertStringIncludes(nothing.err[0], `smf ${command}`);
    assertEquals([missing.code, missing.out], [2, []]);
    assertStringIncludes(missing.err[0], "no_such_file.smf");
    assertEquals(bad.code, 1);
    const output = [...bad.out, ...bad.err].join("\n");
    assertStringIncludes(output, "hash");
    assertMatch(output, /^\s*next: /m);
  });
}

processTest("smf link as a process: help, no arguments, a missing file, a bad file", async () => {
  using folder = new TemporaryDirectory();
  const permissions = ["--allow-read", "--allow-write"];
  const output = ["-o", folder.join("out.smf")];
  const [help, nothing, missing, bad] = await Promise.all([
    smfProcess(["link", "--help"], { permissions: [] }),
    smfProcess(["link"], { permissions: [] }),
    smfProcess(["link", "no_such_file.o", ...output], { permissions }),
    smfProcess(["link", BAD, ...output], { permissions }),
  ]);
  assertEquals([help.code, help.err], [0, []]);
  assertEquals([nothing.code, missing.code, bad.code], [2, 2, 1]);
  assertStringIncludes(missing.err[0], "no_such_file.o");
  assertStringIncludes(bad.err[0], BAD);
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

processTest("commands that read a file also read standard input, without any permission", async () => {
  const stdin = Deno.readFileSync(GOOD);
  const runs = await Promise.all(
    ["inspect", "nm", "verify", "hash"].map((command) =>
      smfProcess([command, "-", "--json"], { stdin, permissions: [] })
    ),
  );
  for (const { code, err, out } of runs) {
    assertEquals([code, err], [0, []]);
    assertEquals(JSON.parse(out.join("\n")).version, 1);
  }
});
