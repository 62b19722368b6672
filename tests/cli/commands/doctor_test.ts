// smf doctor: what this machine can do.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { HAS_NATIVE_CODE } from "../../support/native_code.ts";
import { smf, smfProcess } from "../../support/smf_command.ts";

interface Check {
  readonly name: string;
  readonly works?: boolean;
  readonly found: string;
  readonly next?: string;
}

const checksOf = (line: string): Check[] => JSON.parse(line).checks;

Deno.test({
  name: "with all permissions everything is tried, and what is missing has a next step",
  ignore: !HAS_NATIVE_CODE,
  async fn() {
    const { code, out, err } = await smf("doctor", "--json");
    assertEquals([code, err], [0, []]);
    const checks = checksOf(out[0]);
    const loads = checks.find(({ name }) => name === "load and call")!;
    assertEquals(loads.works, true);
    assertMatch(loads.found, new RegExp(`^${Deno.build.arch}, `));
    for (
      const name of [
        "C",
        "C++",
        "Rust",
        "Rust crates",
        "Zig",
        "targets",
        "gdb",
        "lldb",
        "perf",
        "memory maps",
      ]
    ) {
      const check = checks.find((each) => each.name === name)!;
      assert(check.works !== undefined, name);
      assertEquals(check.works, check.next === undefined, name);
    }
    const text = (await smf("doctor")).out.join("\n");
    assertMatch(text, /^yes +load and call /m);
    assertMatch(text, /^yes +permissions +ffi, read, write, run, env$/m);
    assertMatch(text, /^yes +targets +linux-x64, .*: zig cc$|^no +targets +\S+ alone$/m);
  },
});

Deno.test("without permissions nothing is tried, and each line says which one it needs", async () => {
  const { code, out, err } = await smfProcess(["doctor", "--json"], { permissions: [] });
  assertEquals([code, err], [0, []]);
  assertEquals(checksOf(out[0]).map(({ works, next }) => [works, next]), [
    [undefined, "run again with --allow-ffi"],
    [
      undefined,
      "--allow-ffi to load and call, --allow-read to read modules and sources, --allow-write to build, " +
      "--allow-run to run compilers, --allow-env to let CC and CXX name compilers",
    ],
    [undefined, "run again with --allow-run"],
    [undefined, "run again with --allow-read=/proc/sys/vm/max_map_count"],
  ]);
});

Deno.test("a compiler that nobody has asked for by name is not told as one that an option names", async () => {
  const { out } = await smfProcess(["doctor", "--json"], {
    permissions: ["--allow-run", "--allow-read"],
    env: { PATH: "/nowhere" },
  });
  const { found, next } = checksOf(out[0]).find(({ name }) => name === "TinyCC")!;
  assertEquals([found, next], [
    "there is no 'tcc'",
    "install tcc to compile C in milliseconds (smf dev --compiler tcc)",
  ]);
});

Deno.test("arguments are wrong usage", async () => {
  assertEquals((await smf("doctor", "x")).code, 2);
});
