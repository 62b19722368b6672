// smf types: what it writes of compiled modules type-checks and works, and --check finds what differs.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { compileModule } from "../../support/compiled_module.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { smf } from "../../support/smf_command.ts";
import { addModule, TemporaryDirectory } from "../../support/testing.ts";
import { typedModule } from "../../support/type_graphs.ts";

const ROOT = fromFileUrl(new URL("../../..", import.meta.url));
const CONFIG = `${ROOT}/deno.json`;

/** Runs a command of Deno; its output, and whether it succeeded. */
async function deno(...args: string[]): Promise<{ success: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { success, text: `${text.decode(stdout)}${text.decode(stderr)}` };
}

Deno.test("types prints a module, and -o writes it", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const { code, out, err } = await smf("types", path);
  assertEquals([code, err], [0, []]);
  assertEquals(out[0], "// Written by `smf types a.smf`: change nothing here, run it again.");
  assertStringIncludes(out.join("\n"), '  add: { parameters: ["i64", "i64"], result: "i64" },');
  const target = folder.join("a.ts");
  const written = await smf("types", path, "-o", target);
  assertEquals(written, { code: 0, out: [], err: [`${path}: left out: log (it is variadic)`] });
  assertEquals(Deno.readTextFileSync(target), `${out.join("\n")}\n`);
});

Deno.test("types --json lists what is left out", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const { out } = await smf("types", path, "--json");
  const { text, ...rest } = JSON.parse(out[0]);
  assertStringIncludes(text, "export const definitions");
  assertEquals(rest, {
    version: 1,
    command: "types",
    file: path,
    definitions: 3,
    leftOut: [{ name: "log", declaration: "int log(const char *format, ...)", reason: "it is variadic" }],
  });
});

Deno.test("--only and --buffer choose functions", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const { out } = await smf("types", path, "--only", "a*", "--only=counter");
  const text = out.join("\n");
  assert(text.includes("  add: ") && text.includes("  counter: ") && !text.includes("origin"), text);
  const none = await smf("types", path, "--only", "count");
  assertEquals([none.code, none.err], [2, [
    "smf types: --only chooses nothing that the module exports (did you mean 'counter'?)",
  ]]);
});

Deno.test("types explains bad arguments and files without types", async () => {
  using folder = new TemporaryDirectory();
  const typed = folder.file("a.smf", typedModule());
  const plain = folder.file("b.smf", addModule());
  const script = folder.file("none.ts", new TextEncoder().encode("const x = 1;"));
  const cases: [args: string[], code: number, message: string][] = [
    [[], 2, "name a file"],
    [[typed, "-o", "a.ts", "--check", "a.ts"], 2, "--output and --check exclude each other"],
    [[plain], 1, "Cannot tell types: the module keeps none"],
    [[typed, "--check", folder.join("absent.ts")], 2, "absent.ts: Cannot read the file"],
    [[typed, "--check", script], 2, "there are no definitions of what the module exports"],
  ];
  for (const [args, code, message] of cases) {
    const result = await smf("types", ...args);
    assertEquals([result.code, result.out], [code, []], args.join(" "));
    assertStringIncludes(result.err.join("\n"), message);
  }
});

Deno.test("--check passes a current file, and lists what differs in another", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const file = folder.join("a.ts");
  await smf("types", path, "-o", file);
  assertEquals(await smf("types", path, "--check", file), { code: 0, out: [], err: [] });
  const text = Deno.readTextFileSync(file)
    .replace('["i64", "i64"]', '["i32", "i64"]')
    .replace("long add(long a,", "long add(int a,")
    .replace("class Point", "class Dot");
  Deno.writeTextFileSync(file, text);
  const { code, out, err } = await smf("types", path, "--check", file);
  assertEquals([code, out], [1, [
    `${file} is out of date`,
    "  + class Point",
    "  ~ add: long add(long a, long b), was long add(int a, long b)",
    "  - class Dot",
  ]]);
  assertStringIncludes(err[0], "next: write the file again");
  const { current, differences } = JSON.parse((await smf("types", path, "--check", file, "--json")).out[0]);
  assertEquals([current, differences.length], [false, 3]);
});

Deno.test("--check passes a file that was written for the same module under another name", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule()), target = folder.join("a.ts");
  await smf("types", path, "-o", target);
  const other = folder.file("a.linux-x64.smf", typedModule());
  assertEquals(await smf("types", other, "--check", target), { code: 0, out: [], err: [] });
});

Deno.test("--check reads definitions that a person wrote, and does not run their file", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const check = (definitions: string) => {
    const script = `Deno.exit(9);\nopen("a.smf", { ${definitions} });`;
    return smf("types", path, "--check", folder.file("hand.ts", new TextEncoder().encode(script)));
  };
  assertEquals((await check('add: { parameters: ["i64", "i64"], result: "i64" }')).code, 0);
  const { code, out } = await check('add: { parameters: ["i64", "u64"], result: "i64" }');
  assertEquals(code, 1);
  assertEquals(out.slice(1), ["  add: parameter 2 is i64, the file says u64 (long add(long a, long b))"]);
});

/** The line of JSON that a program has printed. */
function jsonIn(text: string): unknown {
  return JSON.parse(text.split("\n").find((line) => line.startsWith("["))!);
}

/** Type-checks a generated module, and runs a program that uses it; what the program prints. */
async function runChecked(folder: string, module: string, program: string): Promise<unknown> {
  const main = `${folder}/main.ts`;
  Deno.writeTextFileSync(main, program);
  const check = await deno("check", "--no-config", `${folder}/${module}`);
  assert(check.success, check.text);
  const run = await deno("run", "--no-check", "--no-lock", "--allow-all", "--config", CONFIG, main);
  assert(run.success, run.text);
  return jsonIn(run.text);
}

const C_SOURCE = `
#include <stdbool.h>
#include <stdint.h>
enum Color { RED, GREEN = 5, BLUE = -1 };
enum Big { ONE = 1, TOP = 0xffffffffffffffffull };
typedef struct { double x, y; } Point;
struct Particle { Point at; float speed[3]; enum Color color; char label[8]; unsigned bits : 3; bool alive; };
int add(int a, int b) { return a + b; }
Point middle(Point a, Point b) { return (Point){ (a.x + b.x) / 2, (a.y + b.y) / 2 }; }
enum Color next(enum Color color) { return color == RED ? GREEN : BLUE; }
double energy(const struct Particle *p) { return p->at.x + p->speed[2] + p->label[1] + p->bits + p->alive; }
int64_t wide(int64_t n) { return n + 1; }
enum Big larger(enum Big big) { return big == ONE ? TOP : ONE; }
struct Kept { enum Big big; } kept = { TOP };
int log_all(const char *format, ...) { return 0; }
struct Particle particles[2] = { { .at = { 1, 2 }, .color = GREEN, .label = "one" } };
int counter = 7;
`;

const C_PROGRAM = `
import { ModuleRegistry } from "@simple/loader";
import { Big, Color, definitions, Kept, Particle, Point, type Symbols } from "./c.ts";
using registry = new ModuleRegistry();
const symbols: Symbols = registry.open(new URL("./c.smf", import.meta.url), definitions).symbols;
const middle: Uint8Array = symbols.middle(Point.of({ x: 1, y: 2 }).$bytes, Point.of({ x: 3, y: 6 }).$bytes);
const point = new Point(middle.slice());
const p = Particle.of({ at: Point.of({ x: 1 }), label: new Uint8Array([0, 2]), bits: 5, alive: true });
p.speed[2] = 0.5;
const address = Deno.UnsafePointer.of(p.$bytes);
const first = new Particle(Deno.UnsafePointerView.getArrayBuffer(symbols.particles!, 2 * Particle.size));
console.log(JSON.stringify([
  symbols.add(2, 3), [point.x, point.y], symbols.next(Color.RED) === Color.GREEN, symbols.energy(address),
  String(symbols.wide(41n)), symbols.counter, first.at.y, first.color, new TextDecoder().decode(first.label),
  symbols.larger(Big.ONE) === Big.TOP, Kept.of({ big: Big.TOP }).big === Big.TOP,
]));
`;

testWithCompilers(
  ["gcc"],
  "a module of C is formatted, linted, checked, and its classes work",
  async (folder) => {
    const path = await compileModule(folder, "c", C_SOURCE, { flags: ["-O1", "-g", "-fPIC"] });
    const target = `${folder}/c.ts`;
    assertEquals((await smf("types", path, "-o", target)).code, 0);
    assertEquals(await deno("fmt", "--no-config", "--check", target), {
      success: true,
      text: "Checked 1 file\n",
    });
    const lint = await deno("lint", "--no-config", target);
    assert(lint.success, lint.text);
    Deno.writeTextFileSync(`${folder}/main.ts`, C_PROGRAM);
    const run = await deno(
      "run",
      "--check",
      "--no-lock",
      "--allow-all",
      "--config",
      CONFIG,
      `${folder}/main.ts`,
    );
    assert(run.success, run.text);
    assertEquals(jsonIn(run.text), [
      ...[5, [2, 4], true, 1 + 0.5 + 2 + 5 + 1],
      ...["42", 7, 2, 5, "one\0\0\0\0\0", true, true],
    ]);
  },
);

testWithCompilers(["gcc"], "a wrong call does not type-check", async (folder) => {
  const path = await compileModule(folder, "c", C_SOURCE, { flags: ["-O1", "-g", "-fPIC"] });
  await smf("types", path, "-o", `${folder}/c.ts`);
  const wrong = [
    'symbols.add("2", 3);',
    "symbols.add(2);",
    "symbols.wide(41);",
    "symbols.log_all(null);",
    "symbols.larger(1);",
    "const big: Big = 1n << 64n;",
    "symbols.middle(1, 2);",
    "Point.of({ z: 1 });",
    "new Particle().at = 3;",
    "const color: Color = 4;",
    "const text: string = symbols.counter;",
  ];
  const head =
    'import { type Big, type Color, Particle, Point, type Symbols } from "./c.ts";\ndeclare const symbols: Symbols;';
  const lines = [head, "symbols.add(2, 3);", ...wrong, "export {};"];
  Deno.writeTextFileSync(`${folder}/wrong.ts`, lines.join("\n"));
  const { success, text } = await deno("check", "--no-config", `${folder}/wrong.ts`);
  assert(!success);
  // The first two lines are right, and so is the third; each of the others is an error.
  const found = [...new Set([...text.matchAll(/wrong\.ts:(\d+):/g)].map(([, line]) => Number(line)))];
  assertEquals(found.sort((a, b) => a - b), wrong.map((_, index) => index + 4), text);
});

const CPP_SOURCE = `
namespace geo {
  struct Vec { double x, y; };
  template <class T> struct Box { T value; int count; };
  struct Named : Box<int> { enum class Kind : unsigned char { Round, Square = 9 } kind; };
  Vec add(Vec a, const Vec &b) { return { a.x + b.x, a.y + b.y }; }
  struct Owner { int *p; ~Owner() { delete p; } };
  void take(Owner) {}
}
extern "C" int twice(int n) { return 2 * n; }
extern "C" geo::Named named(int n) { geo::Named made{}; made.value = n; made.kind = geo::Named::Kind::Square; return made; }
`;

const CPP_PROGRAM = `
import { ModuleRegistry } from "@simple/loader";
import { definitions, Kind, Named, Vec } from "./cpp.ts";
using registry = new ModuleRegistry();
const { symbols } = registry.open(new URL("./cpp.smf", import.meta.url), definitions);
const b = Vec.of({ x: 10, y: 20 });
const sum = new Vec(symbols._ZN3geo3addENS_3VecERKS0_(Vec.of({ x: 1, y: 2 }).$bytes, Deno.UnsafePointer.of(b.$bytes)));
const made = new Named(symbols.named(4));
console.log(JSON.stringify([symbols.twice(21), sum.x, sum.y, made.value, made.kind === Kind.Square]));
`;

testWithCompilers(["g++"], "a module of C++ is checked and works, mangled names included", async (folder) => {
  const path = await compileModule(folder, "cpp", CPP_SOURCE, {
    flags: ["-O1", "-g", "-fPIC"],
    language: "cpp",
  });
  const { err } = await smf("types", path, "-o", `${folder}/cpp.ts`);
  assertStringIncludes(err.join("\n"), "left out: _ZN3geo4takeENS_5OwnerE (parameter 1 is struct geo::Owner");
  assertEquals(await runChecked(folder, "cpp.ts", CPP_PROGRAM), [42, 11, 22, 4, true]);
});

const RUST_SOURCE = `
#[repr(C)] #[derive(Clone, Copy)] pub struct Pair { pub a: i32, pub b: f64 }
#[repr(u8)] pub enum Mode { Off, On = 7 }
#[no_mangle] pub extern "C" fn swap(p: Pair) -> Pair { Pair { a: p.b as i32, b: p.a as f64 } }
#[no_mangle] pub extern "C" fn toggle(m: Mode) -> Mode { match m { Mode::Off => Mode::On, Mode::On => Mode::Off } }
`;

const RUST_PROGRAM = `
import { ModuleRegistry } from "@simple/loader";
import { definitions, Mode, Pair } from "./rust.ts";
using registry = new ModuleRegistry();
const { symbols } = registry.open(new URL("./rust.smf", import.meta.url), definitions);
const pair = new Pair(symbols.swap(Pair.of({ a: 1, b: 2 }).$bytes));
console.log(JSON.stringify([pair.a, pair.b, symbols.toggle(Mode.Off) === Mode.On]));
`;

testWithCompilers(["rustc"], "a module of Rust is checked and works", async (folder) => {
  Deno.writeTextFileSync(`${folder}/rust.rs`, RUST_SOURCE);
  const flags = "-g -C panic=abort -C opt-level=s -C lto -C codegen-units=1 --edition 2021".split(" ");
  await compile("rustc", ["--crate-type", "staticlib", ...flags, "-o", "librust.a", "rust.rs"], folder);
  const path = `${folder}/rust.smf`;
  const linked = await smf(
    "link",
    `${folder}/librust.a`,
    "--export",
    "swap",
    "--export",
    "toggle",
    "-o",
    path,
  );
  assertEquals(linked.code, 0, linked.err.join("\n"));
  assertEquals((await smf("types", path, "-o", `${folder}/rust.ts`)).code, 0);
  assertEquals(await runChecked(folder, "rust.ts", RUST_PROGRAM), [2, 1, true]);
});
