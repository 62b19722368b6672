import { assertEquals, assertStringIncludes } from "@std/assert";
import { integrityOf } from "../../../src/smf/integrity.ts";
import { HeaderFlag, SectionType, SymbolType } from "../../../src/smf/mod.ts";
import {
  addModule,
  fixtureTest,
  hostBuilder,
  importerModule,
  mainModule,
  TemporaryDirectory,
} from "../../support/testing.ts";
import { smf, smfProcess } from "../../support/smf_command.ts";

const SUM = ["--signature", "i64(i64, i64)"];

/** A program whose exit code is the number of its arguments, including its own name. */
function countingProgram(): Uint8Array {
  const bytes = Deno.build.arch === "aarch64"
    ? new Uint8Array([0xc0, 0x03, 0x5f, 0xd6]) // ret
    : new Uint8Array([0x89, Deno.build.os === "windows" ? 0xc8 : 0xf8, 0xc3]); // mov eax, ecx|edi; ret
  const builder = hostBuilder({ flags: HeaderFlag.Executable });
  builder.section({ name: "code", type: SectionType.Code, bytes });
  builder.symbol({ name: "main", type: SymbolType.Function, size: bytes.length });
  return builder.build();
}

Deno.test("run calls a function and prints its result", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", addModule());
  assertEquals(await smf("run", path, "add", "2", "-5", ...SUM), { code: 0, out: ["-3"], err: [] });
  const { out } = await smf("run", path, "--json", ...SUM, "--", "add", "0x10", "1");
  assertEquals(JSON.parse(out[0]), { version: 1, command: "run", file: path, name: "add", result: "17" });
});

Deno.test("run starts a program with its arguments and returns its exit code", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("count.smf", countingProgram());
  assertEquals(await smf("run", path), { code: 1, out: [], err: [] });
  assertEquals((await smf("run", path, "a", "-5", "--", "--json")).code, 4);
  const seven = folder.file("seven.smf", mainModule(7));
  const { code, out } = await smf("run", seven, "--json");
  assertEquals([code, JSON.parse(out[0]).exitCode], [7, 7]);
});

Deno.test("run explains bad arguments and bad files", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", addModule());
  const cases: [args: string[], code: number, message: string][] = [
    [[], 2, "name a file"],
    [[path], 2, "has no entry point: call a function"],
    [[path, "sub", "1", "2", ...SUM], 2, "there is no function 'sub'; there is add"],
    [[path, ...SUM], 2, "--signature needs the name of a function"],
    [[path, "add", "1", ...SUM], 2, "takes 2 arguments, not 1"],
    [[path, "add", "1", "x", ...SUM], 2, "'x' is not a whole number"],
    [[folder.join("none.smf")], 2, "none.smf: Cannot read module"],
    [[folder.path], 2, "not a regular file"],
    [["fixtures/malformed/row19_name_hash.smf"], 1, "its stored hash does not match its name"],
    [[folder.file("i.smf", importerModule(["no_such_name"]))], 1, "undefined symbol 'no_such_name'"],
    [
      [path, "add", "1", "2", ...SUM, "--integrity", integrityOf(mainModule())],
      1,
      "they do not match the integrity string",
    ],
  ];
  for (const [args, code, message] of cases) {
    const result = await smf("run", ...args);
    assertEquals([result.code, result.out], [code, []], args.join(" "));
    assertStringIncludes(result.err.join("\n"), message);
  }
});

fixtureTest("other modules and libraries of the system provide imports", async () => {
  const importer = ["run", "fixtures/importer.smf", "scaled_plus_one", "3", "--signature", "i64(i64)"];
  const alone = await smf(...importer);
  assertEquals(alone.code, 1);
  assertStringIncludes(alone.err[0], "undefined symbol 'scale'");
  const provided = await smf(...importer, "--with", "fixtures/provider.smf");
  assertEquals(provided, { code: 0, out: ["10"], err: [] });
  using folder = new TemporaryDirectory();
  const path = folder.file("i.smf", importerModule(["cos"]));
  assertEquals((await smf("run", path, "seven", "--signature", "i32()")).code, 1);
  const answered = await smf("run", path, "seven", "--signature", "i32()", "--library", "libm.so.6");
  assertEquals(answered, { code: 0, out: ["7"], err: [] });
});

fixtureTest("C strings are passed and returned", async () => {
  const { out } = await smf("run", "fixtures/c/strings.smf", "weekday", "1", "--signature", "cstring(u32)");
  assertEquals(out, ["Tuesday"]);
});

fixtureTest("as a process it needs --allow-ffi, and returns the program's exit code", async () => {
  const bytes = Deno.readFileSync("fixtures/c/exit_code.smf");
  const [refused, program, piped] = await Promise.all([
    smfProcess(["run", "fixtures/c/exit_code.smf"]),
    smfProcess(["run", "fixtures/c/exit_code.smf"], { permissions: ["--allow-read", "--allow-ffi"] }),
    smfProcess(["run", "-"], { permissions: ["--allow-ffi"], stdin: bytes }),
  ]);
  assertEquals([refused.code, refused.out], [2, []]);
  assertStringIncludes(refused.err.join("\n"), "--allow-ffi");
  assertEquals(program, { code: 42, out: [], err: [] });
  assertEquals(piped, { code: 42, out: [], err: [] });
});
