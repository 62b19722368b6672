// Programs and libraries whose variables lie somewhere else than the linker put them.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { FOLDER, TARGETS } from "../../fixtures/build_platform.ts";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { moveHomes } from "../support/moved_homes.ts";
import {
  ask,
  CPP_PROGRAMS,
  linkedModules,
  loadProgram,
  programTest,
  RUNTIME,
} from "../support/program_tests.ts";
import { expectedOf } from "../support/programs.ts";
import { testWith } from "../support/real_archives.ts";
import { randomFrom, stress } from "../support/testing.ts";
import { query, SQLITE } from "../support/sqlite.ts";

for (const [program, modules] of CPP_PROGRAMS) {
  programTest(`C++: ${program.name} works wherever its variables are`, () => {
    const linked = linkedModules(modules, { reloadable: true });
    for (let seed = 1; seed <= stress(40); seed++) {
      using registry = new ModuleRegistry({ libraries: RUNTIME });
      const moved = linked.map(([name, bytes]) => {
        const hasHomes = parseSmf(bytes).homes().length > 0;
        return [name, hasHomes ? moveHomes(bytes, randomFrom(seed)).bytes : bytes] as const;
      });
      assertEquals(ask(program, loadProgram(registry, moved)), expectedOf(program), `seed ${seed}`);
    }
  });
}

programTest("Rust works wherever its variables are, across a reload of what it imports", () => {
  const read = (name: string) =>
    Deno.readFileSync(new URL(`../../examples/rust/${name}.smf`, import.meta.url));
  const [words, firstRule, secondRule] = ["words", "rule_v1", "rule_v2"].map(read);
  assert(parseSmf(words).homes().length > 10);
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  for (let seed = 1; seed <= stress(40); seed++) {
    using registry = new ModuleRegistry({ libraries: RUNTIME });
    registry.loadBytes("rule", firstRule);
    const { symbols } = registry.loadBytes("words", moveHomes(words, randomFrom(seed)).bytes).bind({
      count_words: { parameters: ["buffer", "usize"], result: "u32" },
      most_frequent: { parameters: ["u32", "buffer", "usize"], result: "usize" },
    });
    const count = (text: string) => symbols.count_words(encoder.encode(text), BigInt(text.length));
    const mostFrequent = (): string => {
      const out = new Uint8Array(64);
      return decoder.decode(out.subarray(0, Number(symbols.most_frequent(1, out, 64n))));
    };
    assertEquals([count("the cat saw the dog"), mostFrequent()], [5, "the 2"]);
    registry.reload("rule", { bytes: secondRule });
    assertEquals([count("THE dog"), mostFrequent()], [2, "the 3"]);
  }
});

const LIBRARIES = Deno.build.os === "windows" ? ["kernel32.dll", "ucrtbase.dll"] : ["libc.so.6"];
const HOST = `${Deno.build.os}-${Deno.build.arch}`;

// The only one of these tests that needs neither compiler nor library: it runs on every platform.
Deno.test({
  name: "the C sample for this platform works wherever its variables are",
  ignore: !(HOST in TARGETS),
  fn() {
    const original = Deno.readFileSync(new URL(`${HOST}_v1.smf`, FOLDER));
    for (let seed = 1; seed <= stress(100); seed++) {
      const moved = moveHomes(original, randomFrom(seed));
      assertNotEquals(parseSmf(moved.bytes).homes(), parseSmf(original).homes());
      using registry = new ModuleRegistry({ imports: { host_value: 1n }, libraries: LIBRARIES });
      using module = registry.loadBytes("sample", moved.bytes);
      const { symbols } = module.bind({
        increment: { parameters: [], result: "i64" },
        remember: { parameters: ["u32", "i32"], result: "i32" },
        start_mark: { parameters: [], result: "i32" },
      });
      assertEquals([symbols.increment(), symbols.increment()], [41n, 42n]);
      assertEquals([symbols.remember(1023, 70), symbols.remember(1023, 71), symbols.remember(0, 1)], [
        0,
        70,
        0,
      ]);
      assert(symbols.start_mark() !== 0);
    }
  },
});

testWith("SQLite works wherever its variables are", "libsqlite3.a", "libsqlite3-dev", (archive) => {
  const inputs = [{ name: "libsqlite3.a", bytes: archive }];
  const { bytes } = linkObjects(inputs, { exports: Object.keys(SQLITE), reloadable: true });
  const sql = "select printf('%.6f %s', sqrt(2), upper('abc')) || strftime('%Y', 1700000000, 'unixepoch')" +
    ` || json_extract('{"a": [1, {"b": "deep"}]}', '$.a[1].b')`;
  for (let seed = 1; seed <= stress(60); seed++) {
    using registry = new ModuleRegistry({ libraries: ["libc.so.6", "libm.so.6"] });
    using module = registry.loadBytes("sqlite", moveHomes(bytes, randomFrom(seed)).bytes);
    const { symbols } = module.bind(SQLITE);
    assertEquals(query(symbols, sql), ["1.414214 ABC2023deep"], `seed ${seed}`);
  }
});
