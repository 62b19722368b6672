// What perf is told of modules: in children, whose files stay open until they end.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { compileModule } from "../support/compiled_module.ts";
import { IN_PROCESS } from "../support/isolated.ts";
import { compile, hasCommand, testWithCompilers } from "../support/compilers.ts";
import { assertLoadError, TemporaryDirectory } from "../support/testing.ts";
import { version } from "../support/versions.ts";

/** In an emulator, children would run on another processor. */
const isLinux = Deno.build.os === "linux" && !IN_PROCESS;
const CHILD = new URL("profilers_child.ts", import.meta.url).pathname;

/** Runs the child; returns its process number. */
async function run(path: string, jitdump: string, flags: readonly string[] = [], milliseconds = 0) {
  const args = ["run", "--no-check", "--no-lock", ...flags, CHILD, path, jitdump, `${milliseconds}`];
  return (await compile(Deno.execPath(), args)).trim();
}

function takeMap(pid: string): string[] {
  const path = `/tmp/perf-${pid}.map`;
  const lines = Deno.readTextFileSync(path).trimEnd().split("\n");
  Deno.removeSync(path);
  return lines;
}

const SKIPPED = isLinux ? "" : " (SKIPPED: needs Linux, and no emulator)";

Deno.test({
  name: `the map of the process names each function of each version${SKIPPED}`,
  ignore: !isLinux,
  async fn() {
    using folder = new TemporaryDirectory();
    const path = folder.file("a.smf", version({ functions: { work: 1, other: 2 } }));
    const flags = ["--allow-ffi", `--allow-read=${folder.path}`, "--allow-write=/tmp"];
    const lines = takeMap(await run(path, "", flags));
    assertEquals(lines.map((line) => line.replace(/^[0-9a-f]+ [0-9a-f]+ /, "")), [
      "work [a.smf]",
      "other [a.smf]",
      "work [a.smf 2]",
      "other [a.smf 2]",
    ]);
  },
});

Deno.test({
  name: `V8's own entries and those of modules are in one map${SKIPPED}`,
  ignore: !isLinux,
  async fn() {
    using folder = new TemporaryDirectory();
    const path = folder.file("a.smf", version({ functions: { work: 1 } }));
    // V8 writes a log, too, which would stay in the current folder.
    const flags = ["-A", `--v8-flags=--perf-basic-prof,--logfile=${folder.path}/v8.log`];
    const lines = takeMap(await run(path, "", flags, 200));
    assert(lines.some((line) => line.endsWith(" work [a.smf]")));
    assert(lines.some((line) => line.endsWith(" work [a.smf 2]")));
    assert(lines.length > 100 && lines.every((line) => /^[0-9a-f]+ [0-9a-f]+ ./.test(line)));
  },
});

Deno.test({
  name: `the permission for the map is asked for, and nothing is loaded without it${SKIPPED}`,
  ignore: !isLinux,
  async fn() {
    using folder = new TemporaryDirectory();
    const path = folder.file("a.smf", version({ functions: { work: 1 } }));
    const args = [
      "run",
      "--no-check",
      "--no-lock",
      "--no-prompt",
      "--allow-ffi",
      `--allow-read=${folder.path}`,
    ];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, CHILD, path, "", "0"],
    })
      .output();
    assert(!success);
    assertStringIncludes(new TextDecoder().decode(stderr), "it needs --allow-write");
  },
});

Deno.test({ name: "perf is of Linux: other systems say so", ignore: Deno.build.os === "linux" }, () => {
  using registry = new ModuleRegistry({ perfMap: true });
  assertLoadError(() => registry.loadBytes("a", version({ functions: { work: 1 } })), "Unsupported");
});

const WORK = `
  __attribute__((noinline)) unsigned step(unsigned x) { for (int i = 0; i < 1000; i++) x = x * 1664525u + 1; return x; }
  unsigned work(unsigned n) { unsigned s = 0; for (unsigned i = 0; i < n; i++) s += step(i); return s; }`;

/** Whether this machine lets perf count. */
function perfCounts(): boolean {
  if (!hasCommand("perf")) return false;
  const args = ["record", "-o", "/dev/null", "-e", "cpu-clock", "true"];
  return new Deno.Command("perf", { args, stdout: "null", stderr: "null" }).outputSync().success;
}

const counts = perfCounts();
const perfTest = counts ? testWithCompilers : (_: readonly string[], name: string) =>
  Deno.test({
    name: `${name} (SKIPPED: needs perf, and a kernel that allows its events)`,
    ignore: true,
    fn() {},
  });

perfTest(
  ["gcc", "perf"],
  "perf report names the functions of both versions, and perf annotate shows their code",
  async (folder) => {
    const path = await compileModule(folder, "hot", WORK, { flags: ["-O1", "-fPIC"] });
    const data = `${folder}/perf.data`, injected = `${folder}/injected.data`;
    const child = [Deno.execPath(), "run", "-A", "--no-check", "--no-lock", CHILD, path, folder, "400"];
    const pid = (await compile("perf", ["record", "-k", "mono", "-e", "cpu-clock", "-o", data, ...child]))
      .trim();
    takeMap(pid);
    await compile("perf", ["inject", "--jit", "-i", data, "-o", injected], folder);
    const report = await compile("perf", ["report", "--stdio", "-i", injected]);
    assertStringIncludes(report, "step [hot.smf]");
    assertStringIncludes(report, "step [hot.smf 2]");
    if (!hasCommand("objdump")) return;
    const annotated = await compile("perf", [
      "annotate",
      "--stdio",
      "-i",
      injected,
      "-s",
      "step [hot.smf 2]",
    ]);
    assertStringIncludes(annotated, "imul");
  },
);
