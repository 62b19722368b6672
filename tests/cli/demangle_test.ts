// --demangle in every command that prints names.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { printDropped } from "../../src/cli/commands/link_report.ts";
import { writerFor } from "../../src/cli/terminal/style.ts";
import type { LinkMap } from "../../src/link/map.ts";
import { SectionType, SmfBuilder, SymbolType } from "../../src/smf/mod.ts";
import { smf } from "../support/smf_command.ts";
import { TemporaryDirectory } from "../support/testing.ts";

const A = "fixtures/cpp/shared_a.o", B = "fixtures/cpp/shared_b.o";
const MANGLED = "_Z8add_in_bi", NAME = "add_in_b(int)";

/** A module of both objects; with one of them, the names of the other are imports. */
async function linked(folder: TemporaryDirectory, ...objects: string[]): Promise<string> {
  const path = `${folder.path}/${objects.length}.smf`;
  assertEquals((await smf("link", ...objects, "-o", path)).code, 0);
  return path;
}

Deno.test("nm, inspect, symbolize, verify and diff show names as sources write them with -C, and only then", async () => {
  using folder = new TemporaryDirectory();
  const [whole, part] = [await linked(folder, A, B), await linked(folder, A)];
  const commands = [
    ["nm", whole],
    ["nm", "-u", part],
    ["inspect", "--all", whole],
    ["symbolize", whole, MANGLED],
    ["verify", part],
    ["verify", part, "--no-undefined"],
    ["diff", whole, part],
  ];
  for (const [command, ...args] of commands) {
    const plain = (await smf(command, ...args)).out.join("\n");
    for (const option of ["-C", "--demangle"]) {
      const shown = (await smf(command, ...args, option)).out.join("\n");
      assertStringIncludes(shown, NAME, `${command} ${args}`);
      assert(!shown.includes(MANGLED), `${command} ${args}\n${shown}`);
    }
    // Messages of errors have names for people.
    assert(plain.includes(MANGLED) || plain.includes(`'${NAME}'`), plain);
  }
});

Deno.test("reports of a link show names as sources write them", async () => {
  using folder = new TemporaryDirectory();
  const output = `${folder.path}/a.smf`;
  const link = async (...args: string[]) => (await smf("link", A, B, "-o", output, ...args)).out.join("\n");
  const trace = ["-y", MANGLED];
  assertEquals(await link(...trace), `${B}: definition of ${MANGLED}\n${A}: reference to ${MANGLED}`);
  assertEquals(await link("-C", ...trace), `${B}: definition of ${NAME}\n${A}: reference to ${NAME}`);
  assertStringIncludes(await link("-C", "--why-live", MANGLED, "--export", MANGLED), `${NAME} is exported`);
  assertStringIncludes(await link("--demangle", "--map"), NAME);
  assertStringIncludes(await link("-C", "--cref"), `${NAME} defined in ${B}; used in ${A}`);
});

Deno.test("sections that nothing reaches are named for their functions", () => {
  const lines: string[] = [];
  const output = { print: (line: string) => void lines.push(line), complain: () => {} };
  const dropped = [{ section: `.text.${MANGLED}`, object: "b.o", size: 4, reason: "unreachable" }] as const;
  for (const demangles of [false, true]) {
    printDropped({ dropped } as unknown as LinkMap, writerFor(output, undefined, demangles));
  }
  assertEquals(lines, [
    `removing unused section '.text.${MANGLED}' in file 'b.o'`,
    `removing unused section '.text.${NAME}' in file 'b.o'`,
  ]);
});

Deno.test("errors of a link name functions as sources write them; their facts have the names of linkers", async () => {
  const { code, err } = await smf("link", A, "-o", "unwritten.smf", "--no-undefined");
  assertEquals(code, 1);
  assertStringIncludes(err[0], `'${NAME}'`);
  const { out } = await smf("link", A, "-o", "unwritten.smf", "--no-undefined", "--json");
  assert(JSON.parse(out[0]).error.symbols.includes(MANGLED));
});

Deno.test("JSON keeps the names of linkers; nm adds those of sources", async () => {
  using folder = new TemporaryDirectory();
  const path = await linked(folder, A, B);
  const { out } = await smf("nm", "--json", "-C", path);
  const symbols: { name: string; demangled?: string }[] = JSON.parse(out[0]).symbols;
  assertEquals(symbols.find(({ name }) => name === MANGLED)?.demangled, NAME);
});

Deno.test("demangled names are escaped as others are", async () => {
  using folder = new TemporaryDirectory();
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.symbol({ name: "_Z2\x1bav", type: SymbolType.Function, value: 0, size: 4 });
  const { out } = await smf("nm", "-C", folder.file("a.smf", builder.build()));
  assertEquals(out.join("").includes("\x1b"), false);
});
