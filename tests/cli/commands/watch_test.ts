import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseWatch, watchModule } from "../../../src/cli/commands/watch.ts";
import { HAS_GUARDS } from "../../../src/load/runtime/crash_guard.ts";
import { HeaderFlag } from "../../../src/smf/mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { version } from "../../support/versions.ts";
import { fixtureTest, mainModule, TemporaryDirectory } from "../../support/testing.ts";
import { smf, smfCommand } from "../../support/smf_command.ts";

const RELOADABLE = { flags: HeaderFlag.Reloadable };
const CALL = ["seven", "--signature", "i32()"];

/** Watches in this process, until `next`, which is called with each line, returns false. */
async function watch(
  args: string[],
  next: (line: string) => boolean,
): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [], err: string[] = [];
  const stop = new AbortController();
  const print = (line: string): void => {
    out.push(line);
    if (!next(line)) stop.abort();
  };
  const code = await watchModule(
    parseWatch(args, { print, complain: (line) => err.push(line) }),
    stop.signal,
  );
  return { code, out, err };
}

Deno.test("watch calls after loading and after each reload", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", mainModule(7, RELOADABLE));
  const versions = [8, 9];
  const { code, out, err } = await watch([path, ...CALL], (line) => {
    if (!/^\d+$/.test(line)) return true;
    const value = versions.shift();
    if (value !== undefined) folder.file("a.smf", mainModule(value, RELOADABLE));
    return value !== undefined;
  });
  assertEquals([code, err], [0, []]);
  assertEquals(out.map((line) => line.replace(/ in .*/, "")), [
    `loaded ${path}, version 1`,
    "7",
    "reloaded: version 2",
    "8",
    "reloaded: version 3",
    "9",
  ]);
});

Deno.test("a refused version is reported, and the old one keeps running", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", mainModule(7, RELOADABLE));
  const { code, out, err } = await watch([path, ...CALL, "--json"], (line) => {
    if (JSON.parse(line).event !== "loaded") return false;
    folder.file("a.smf", mainModule(8, { flags: HeaderFlag.Reloadable, arch: 4 }));
    return true;
  });
  const [loaded, failed] = out.map((line) => JSON.parse(line));
  assertEquals([code, err], [0, []]);
  assertEquals(loaded, {
    version: 1,
    command: "watch",
    file: path,
    event: "loaded",
    moduleVersion: 1,
    result: "7",
  });
  assertEquals([failed.event, failed.error.kind], ["failed", "IncompatibleArch"]);
  assertStringIncludes(failed.error.nextStep, "processor");
});

Deno.test("a module that is not marked reloadable is skipped without --force", async () => {
  using folder = new TemporaryDirectory();
  for (
    const [force, message] of [[
      [],
      "skipped: the new version is not marked as reloadable: link it with --reloadable",
    ], [["--force"], "reloaded: version 2"]] as const
  ) {
    const path = folder.file("a.smf", mainModule(7));
    const { out } = await watch([path, ...force], (line) => {
      if (!line.startsWith("loaded")) return false;
      folder.file("a.smf", mainModule(8));
      return true;
    });
    assertStringIncludes(out[1], message);
  }
});

Deno.test("watch says which initial values have changed, and takes them where it is told to", async () => {
  using folder = new TemporaryDirectory();
  const gravity = (value: bigint) => version({ functions: { code: 1 }, data: { gravity: [value] } });
  const cases = [
    [[], ["  carried: gravity (1 matched by size alone)", `  ${CHANGED}: gravity`]],
    [["--take", "gravity"], ["  initialized anew: gravity: `take` names it"]],
    [["--take-unwritten"], [
      "  initialized anew: gravity: the program has not written it, and its initial value has changed",
    ]],
  ] as const;
  for (const [args, expected] of cases) {
    const path = folder.file("a.smf", gravity(2n));
    let changed = false;
    const { out, err } = await watch([path, ...args], (line) => {
      if (!changed) folder.file("a.smf", gravity(3n));
      changed = true;
      return line !== expected.at(-1);
    });
    assertEquals([out.slice(2), err], [[...expected], []]);
  }
});

testWithCompilers(["gcc"], "watch calls by the types that the module keeps", async (folder) => {
  const source = (sum: string) =>
    `enum Level { LOW = 3, HIGH = 9 }; enum Level level(short n, const char *text) { return ${sum}; }`;
  const build = (sum: string) => compiledVersion(folder, source(sum), { flags: ["-O1", "-g"] });
  const [first, second] = [await build("n + text[0]"), await build("n + text[0] + 6")];
  const path = `${folder}/a.smf`;
  Deno.writeFileSync(path, first);
  const { out, err } = await watch([path, "level", "-62", "A"], (line) => {
    if (line !== "LOW (3)") return line !== "HIGH (9)";
    Deno.writeFileSync(`${path}.new`, second);
    Deno.renameSync(`${path}.new`, path);
    return true;
  });
  assertEquals(err, []);
  assertEquals(out.filter((line) => !/^(loaded|reloaded)/.test(line)), ["LOW (3)", "HIGH (9)"]);
  const wrong = await smf("watch", path, "level", "1");
  assertEquals(wrong.code, 2);
  assertStringIncludes(
    wrong.err.join("\n"),
    "enum Level level(short int n, const char *text) takes 2 arguments",
  );
});

testWithCompilers(
  ["gcc"],
  "variables stay where they are by default, and are copied with --state carry",
  async (folder) => {
    const build = (step: number) =>
      compiledVersion(
        folder,
        `long total = 40;\nlong *where(void) { total += ${step}; return &total; }\nlong *same(void) { return &total; }`,
        { name: "total", flags: ["-O1", "-g", "-fdata-sections"] },
      );
    const [first, second] = [await build(1), await build(2)];
    const path = `${folder}/a.smf`;
    const addresses = async (...args: string[]): Promise<string[]> => {
      Deno.writeFileSync(path, first);
      const seen: string[] = [];
      const { code, err } = await watch([path, "same", "--signature", "u64()", ...args], (line) => {
        if (!/^\d+$/.test(line)) return true;
        seen.push(line);
        if (seen.length === 1) Deno.writeFileSync(path, second);
        return seen.length < 2;
      });
      assertEquals([code, err], [0, []]);
      return seen;
    };
    const kept = await addresses(), copied = await addresses("--state", "carry");
    assertEquals([kept[0] === kept[1], copied[0] === copied[1]], [true, false], `${kept}, ${copied}`);
  },
);

testWithCompilers(
  ["gcc"],
  "a version that crashes in the call is taken back, and its next save is taken",
  async (folder) => {
    if (!HAS_GUARDS) return;
    const build = (body: string) =>
      compiledVersion(folder, `int *volatile none;\nint n = 1;\nint step(void) {\n${body}\n}`, {
        flags: ["-O1", "-g"],
      });
    const crashing = "n += 10; *none = 5; return n;";
    const [crash, first, third] = [
      await build(crashing),
      await build("return n;"),
      await build("return n + 100;"),
    ];
    const path = `${folder}/a.smf`;
    const save = (bytes: Uint8Array): void => {
      Deno.writeFileSync(`${path}.new`, bytes);
      Deno.renameSync(`${path}.new`, path);
    };
    const watchFrom = (start: Uint8Array, args: string[] = []) => {
      save(start);
      return watch([path, "step", "--signature", "i32()", "--state", "carry", ...args], (line) => {
        if (line === "1") save(crash);
        if (line.startsWith("crashed")) save(third);
        return line !== "101" && line !== "111";
      });
    };
    const known = await watchFrom(first);
    assertEquals(known.code, 0);
    assertEquals(
      known.out.map((line) => line.replace(/ in [\d.]+ ms/, "")).filter((line) => !line.startsWith(" ")),
      [
        `loaded ${path}, version 1`,
        "1",
        "reloaded: version 2",
        "crashed: version 2; version 1 keeps running",
        "reloaded: version 3",
        "111",
      ],
    );
    const [what, next, frame] = known.err;
    assertMatch(what, /Native code has crashed: SIGSEGV, write to address 0x0, in step \(.*:4\)/);
    assertStringIncludes(next, "a null pointer was used");
    assertMatch(frame, /^ {2}at step \(.*:4\)$/);
    // There is no earlier version, and the watch goes on.
    const alone = await watchFrom(crash);
    assertEquals(alone.out.filter((line) => line.startsWith("crashed")), [
      "crashed: version 1; its next save is taken",
    ]);
    assertEquals(alone.out.at(-1), "111");
  },
);

testWithCompilers(
  ["gcc"],
  "with --at safe-point a reload is not made while a thread of the module waits at one",
  async (folder) => {
    // Nobody can tell that such a thread is the only one, so there is no safe point.
    const build = (answer: number) =>
      compiledVersion(
        folder,
        `#include <pthread.h>
        void smf_safe_point(void);
        static pthread_t thread;
        static volatile int stop, came;
        static void *work(void *none) { for (; !stop; came = 1) smf_safe_point(); return 0; }
        __attribute__((constructor)) static void start(void) {
          if (${answer} != 1) return;
          pthread_create(&thread, 0, work, 0);
          while (!came);
        }
        __attribute__((destructor)) static void end(void) {
          stop = 1;
          if (${answer} == 1) pthread_join(thread, 0);
        }
        int answer(void) { return ${answer}; }`,
      );
    const [first, second] = [await build(1), await build(2)];
    const path = `${folder}/a.smf`;
    const outcome = async (...args: string[]): Promise<string> => {
      Deno.writeFileSync(path, first);
      let event = "";
      await watch([path, "--state", "fresh", "--json", ...args], (line) => {
        ({ event } = JSON.parse(line));
        if (event === "failed") event = JSON.parse(line).error.message;
        if (event === "loaded") Deno.writeFileSync(path, second);
        return event === "loaded";
      });
      return event;
    };
    assertStringIncludes(
      await outcome("--at", "safe-point", "--timeout", "300"),
      "no safe point within 300 ms",
    );
    assertEquals(await outcome(), "reloaded");
  },
);

const CHANGED = "initial value changed, the old value is kept (--take)";

Deno.test("watch explains wrong usage and bad files", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", mainModule());
  const cases: [args: string[], code: number, message: string][] = [
    [[], 2, "name a file"],
    [["-"], 2, "standard input does not change"],
    [[path, "seven"], 2, "a name and --signature"],
    [[path, "--signature", "i32()"], 2, "--signature needs the name of a function"],
    [[path, "--state", "lost"], 2, "--state takes keep, carry, fresh or keep-or-carry"],
    [[path, "--old-pointers", "lost"], 2, "--old-pointers takes keep or refuse"],
    [[path, "--at", "lost"], 2, "--at takes now or safe-point, not 'lost'"],
    [[path, "--timeout", "7"], 2, "--timeout belongs to --at safe-point"],
    [[path, "--at", "safe-point", "--timeout", "-7"], 2, "a whole number of milliseconds, not '-7'"],
    [[path, "--on-crash", "lost"], 2, "--on-crash takes throw or end"],
    [[path, "--take", "total", "--take-unwritten"], 2, "either --take or --take-unwritten"],
    [[path, "eight", "--signature", "i32()"], 2, "there is no function 'eight'; there is seven"],
    [[folder.join("none.smf")], 2, "Cannot read module"],
    [["fixtures/malformed/row01_empty.smf"], 1, "it is empty"],
  ];
  for (const [args, code, message] of cases) {
    const result = await smf("watch", ...args);
    assertEquals(result.code, code, args.join(" "));
    assertStringIncludes(result.err.join("\n"), message);
  }
});

fixtureTest("as a process it watches until it is interrupted, and then returns 0", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", mainModule(7, RELOADABLE));
  const child = smfCommand(
    ["watch", path, ...CALL],
    { permissions: ["--allow-read", "--allow-ffi"] },
    { stdin: "null", stdout: "piped", stderr: "piped" },
  ).spawn();
  let out = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    out += chunk;
    if (out.endsWith("version 1\n7\n")) folder.file("a.smf", mainModule(8, RELOADABLE));
    if (out.endsWith("\n8\n")) child.kill("SIGINT");
  }
  assertEquals(await new Response(child.stderr).text(), "");
  assertEquals((await child.status).code, 0);
});

fixtureTest("--format=github gives a reload that fails a line of its own", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", mainModule(7, RELOADABLE));
  const child = smfCommand(
    ["watch", path, "--format=github"],
    { permissions: ["--allow-read", "--allow-ffi"] },
    { stdin: "null", stdout: "piped", stderr: "piped" },
  ).spawn();
  const out = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await out.read();
  folder.file("a.smf", new TextEncoder().encode("garbage, and longer than the header of a module is"));
  let err = "";
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    err += chunk;
    if (err.endsWith("\n")) child.kill("SIGINT");
  }
  await out.cancel();
  assertEquals((await child.status).code, 0);
  assertMatch(err, /^::error file=[^\n]*a\.smf::[^\n]*%0Anext: [^\n]*\n$/);
});
