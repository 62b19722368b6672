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
import { compileModule } from "../../support/compiled_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { typedModule } from "../../support/type_graphs.ts";

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

Deno.test("a module that keeps its types needs no signature", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  assertEquals(await smf("run", path, "add", "2", "-5"), { code: 0, out: ["-3"], err: [] });
  const large = await smf("run", path, "add", "0x7fffffffffffffff", "0", "--json");
  assertEquals(JSON.parse(large.out[0]), {
    version: 1,
    command: "run",
    file: path,
    name: "add",
    result: "9223372036854775807",
    declaration: "long add(long a, long b)",
    value: "9223372036854775807",
  });
  // A signature still takes the place of the module's types.
  assertEquals((await smf("run", path, "add", "2", "-5", "--signature", "u64(i64, i64)")).out, [
    "18446744073709551613",
  ]);
});

Deno.test("a module that keeps its types lists its functions, and explains wrong calls by them", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const declaration = "long add(long a, long b)";
  const cases: [args: string[], message: string][] = [
    [[], `has no entry point: call a function (smf run ${path} NAME [args...])\n  ${declaration}`],
    [["adx", "1"], `there is no function 'adx' (did you mean 'add'?); there are:\n  ${declaration}`],
    [["add", "1"], `${declaration} takes 2 arguments, not 1`],
    [["add", "1", "x"], `argument 2 (long b): 'x' is not a whole number\n  ${declaration}`],
    [["add", "1", "0x8000000000000000"], "the range of long"],
    [["counter"], "'counter' is a variable: int counter"],
    [["log", "x"], "int log(const char *format, ...) cannot be called: it is variadic"],
    [["sub", "1", ...["--signature", "i64(i64)"]], `there is no function 'sub'; there are ${declaration}`],
    [["--call"], "--call needs the name of a function"],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await smf("run", path, ...args);
    assertEquals([code, out], [2, []], args.join(" "));
    assertStringIncludes(err.join("\n"), message);
  }
  const plain = await smf("run", folder.file("b.smf", addModule()), "add", "1", "2");
  assertEquals(plain.code, 2);
  assertStringIncludes(plain.err[0], 'NAME --signature "i32()"');
  const called = await smf("run", folder.join("b.smf"), "add", "1", "2", "--call");
  assertEquals(called.code, 2);
  assertStringIncludes(called.err[0], "keeps no types: give --signature");
  const help = (await smf("run", path, "--help")).out;
  assertEquals(help.slice(-2), [`Functions of ${path}:`, `  ${declaration}`]);
});

const EVERY_TYPE = `
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
enum Color { RED, GREEN = 5, BLUE = -1 };
enum Mode { READ = 1, WRITE = 2 };
typedef struct { double x, y; } Point;
struct Row { Point at; enum Color color; char label[8]; int8_t cells[2]; bool on; };
int8_t negate(int8_t n) { return -n; }
uint64_t half(uint64_t n) { return n / 2; }
float scale(double x, float f) { return x * f; }
bool even(unsigned n) { return n % 2 == 0; }
char next(char c) { return c + 1; }
enum Color turn(enum Color c) { return c == RED ? GREEN : c == GREEN ? BLUE : (enum Color)9; }
int mode(enum Mode m) { return m; }
const char *tail(const char *text, int from) { return from < 0 ? 0 : text + from; }
void *address(void *p) { return p; }
Point middle(Point a, Point b) { return (Point){ (a.x + b.x) / 2, (a.y + b.y) / 2 }; }
struct Row row(struct Row r) { r.cells[1] += 1; return r; }
void nothing(void) {}
int main(int argc, char **argv) { return argc; }
`;

testWithCompilers(["gcc"], "arguments and results are read and shown by their types", async (folder) => {
  const flags = ["-O1", "-g", "-fPIC"];
  const path = await compileModule(folder, "every", EVERY_TYPE, { flags, link: {} });
  const calls: [args: string[], result: string][] = [
    [["negate", "127"], "-127"],
    [["half", "18446744073709551615"], "9223372036854775807"],
    [["scale", "2.5", "-3e0"], "-7.5"],
    [["even", "0b110"], "true"],
    [["next", "a"], "98 'b'"],
    [["next", "9"], "10"],
    [["turn", "RED"], "GREEN (5)"],
    [["turn", "5"], "BLUE (-1)"],
    [["turn", "BLUE"], "9"],
    [["mode", "READ|WRITE"], "3"],
    [["tail", "grün", "2"], "ün"],
    [["tail", "x", "-1"], "NULL"],
    [["address", "0x10"], "0x10"],
    [["address", "null"], "NULL"],
    [["middle", '{"x": 1}', '{"x": 2, "y": -8}'], "{x: 1.5, y: -4}"],
    [
      ["row", '{"at": {"y": 2}, "color": "BLUE", "label": "one", "cells": [3, -2], "on": true}'],
      '{at: {x: 0, y: 2}, color: BLUE (-1), label: "one", cells: [3, -1], on: true}',
    ],
  ];
  for (const [args, result] of calls) {
    assertEquals(await smf("run", path, ...args), { code: 0, out: [result], err: [] }, args.join(" "));
  }
  assertEquals((await smf("run", path, "nothing")).out, []);
  const { out } = await smf("run", path, "row", '{"color": 5}', "--json");
  assertEquals(JSON.parse(out[0]).value, {
    at: { x: 0, y: 0 },
    color: { name: "GREEN", value: 5 },
    label: "",
    cells: [0, 1],
    on: false,
  });
  const wrong: [args: string[], message: string][] = [
    [["negate", "128"], "128 is not in [-128, 128), the range of"],
    [["half", "-1"], "is not in [0, 18446744073709551616)"],
    [["turn", "GREN"], "(did you mean 'GREEN'?); the names are RED, GREEN, BLUE"],
    [["even", "true"], "argument 1 (unsigned int n): 'true' is not a whole number"],
    [["middle", "1", "{}"], "1 is not an object of fields"],
    [["middle", "{x: 1}", "{}"], "is not JSON"],
    [["middle", '{"z": 1}', "{}"], "there is no field 'z'; the fields are x, y"],
    [["row", '{"cells": [1, 2, 3]}'], "3 elements are more than 2"],
    [["row", '{"label": "nine bytes"}'], "10 elements are more than 8"],
    [["address", "x"], "'x' is not a whole number"],
  ];
  for (const [args, message] of wrong) {
    const { code, out, err } = await smf("run", path, ...args);
    assertEquals([code, out], [2, []], args.join(" "));
    assertStringIncludes(err.join("\n"), message);
  }
});

testWithCompilers(["gcc"], "a main without parameters runs, with and without types", async (folder) => {
  for (const [name, ...flags] of [["typed", "-g"], ["untyped"]]) {
    const source = "int main(void) { return 7; }";
    const path = await compileModule(folder, name, source, {
      flags: ["-fPIC", ...flags],
      link: { entry: "main" },
    });
    assertEquals(await smf("run", path, "an argument"), { code: 7, out: [], err: [] }, name);
  }
});

testWithCompilers(["gcc"], "--call calls a function of a module that has an entry point", async (folder) => {
  const link = { entry: "main" };
  const path = await compileModule(folder, "every", EVERY_TYPE, { flags: ["-O1", "-g", "-fPIC"], link });
  assertEquals((await smf("run", path, "even", "4")).code, 3);
  assertEquals(await smf("run", path, "even", "4", "--call"), { code: 0, out: ["true"], err: [] });
});
