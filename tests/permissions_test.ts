// Tries each feature with exactly the permissions that it needs, and checks its error without them.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { answering } from "./support/modules.ts";
import { HAS_NATIVE_CODE } from "./support/native_code.ts";
import { TemporaryDirectory } from "./support/testing.ts";

const TESTS = fromFileUrl(new URL(".", import.meta.url));
/** The folder of the package and of the tests' Worker. */
const ROOT = join(TESTS, "..");
const WINDOWS = Deno.build.os === "windows";
const LIBRARY = WINDOWS ? "kernel32.dll" : "libc.so.6";
/** A library that this package does not use. */
const OTHER_LIBRARY = join(TESTS, "other.so");

/** Runs the child and returns its output. `FILE` stands for a module file, `FOLDER` for the file's folder. */
async function run(
  feature: string,
  permissions: readonly string[],
  args: readonly string[],
): Promise<string> {
  using directory = new TemporaryDirectory();
  const file = directory.file("m.smf", answering(1));
  const withPaths = (text: string) => text.replace("FILE", file).replace("FOLDER", directory.path);
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-prompt",
      ...permissions.map(withPaths),
      join(TESTS, "permissions_child.ts"),
      feature,
      ...args.map(withPaths),
    ],
    env: { NO_COLOR: "1" },
    cwd: ROOT,
  }).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout).trim() + decoder.decode(stderr).trim();
}

/** The permissions that each feature needs, no more and no fewer. README.md has the same table. */
const NEEDS: readonly (readonly [feature: string, permissions: string, ...args: string[]])[] = [
  ["import", ""],
  ["parseSmf", ""],
  ["SmfBuilder", ""],
  ["linkObjects", ""],
  ["integrityOf", ""],
  ["loadBytes", "--allow-ffi"],
  ["loadBytes, integrity", "--allow-ffi"],
  ["load", "--allow-ffi --allow-read=FILE", "FILE"],
  ["loadAsync", "--allow-ffi --allow-read=FILE", "FILE"],
  ["load, integrity", "--allow-ffi --allow-read=FILE", "FILE"],
  ["open", "--allow-ffi --allow-read=FILE", "FILE"],
  ["watch", "--allow-ffi --allow-read=FOLDER", "FILE"],
  ["libraries", "--allow-ffi", "", LIBRARY],
  ["share", "--allow-ffi"],
  // Deno itself, not this package, reads the Worker's program.
  ["worker", `--allow-ffi --allow-read=${ROOT} --unstable-worker-options`, '{"ffi":true}'],
];

for (const [feature, permissions, ...args] of NEEDS) {
  Deno.test({
    name: `${feature} needs ${permissions || "no permission"}, and no more`,
    ignore: !HAS_NATIVE_CODE,
    async fn() {
      assertEquals(await run(feature, permissions.split(" ").filter((flag) => flag !== ""), args), "ok");
    },
  });
}

Deno.test({
  name: WINDOWS ? "fast calls need a folder for their files too" : "fast calls need --allow-ffi alone",
  ignore: !HAS_NATIVE_CODE,
  async fn() {
    const outcome = await run("loadBytes, fast", ["--allow-ffi"], []);
    if (!WINDOWS) return assertEquals(outcome, "ok");
    assertStringIncludes(outcome, "it needs --allow-read and --allow-write of");
  },
});

const FFI = "PermissionDenied: Cannot use executable memory: it needs --allow-ffi, without a list of paths";
const FEATURES_WITH_FFI = NEEDS.filter(([, permissions]) => permissions.includes("--allow-ffi"));

for (
  const [what, flag] of [
    ["without --allow-ffi", undefined],
    ["with a list of paths in --allow-ffi", `--allow-ffi=${OTHER_LIBRARY}`],
    ["with the C library in --allow-ffi", `--allow-ffi=${LIBRARY}`],
  ] as const
) {
  for (const [feature, permissions, ...args] of FEATURES_WITH_FFI) {
    Deno.test({
      name: `${feature} ${what} names the missing permission`,
      ignore: !HAS_NATIVE_CODE,
      async fn() {
        const flags = permissions.split(" ").filter((each) => each !== "--allow-ffi");
        const outcome = await run(feature, flag === undefined ? flags : [flag, ...flags], args);
        assertStringIncludes(outcome, FFI);
      },
    });
  }
}

for (const [feature, permissions, ...args] of NEEDS.filter(([, flags]) => flags.includes("FILE"))) {
  Deno.test({
    name: `${feature} without --allow-read names the missing permission`,
    ignore: !HAS_NATIVE_CODE,
    async fn() {
      const flags = permissions.split(" ").filter((flag) => !flag.startsWith("--allow-read"));
      const outcome = await run(feature, flags, args);
      assertStringIncludes(outcome, "PermissionDenied: Cannot read module: it needs --allow-read=");
      assertStringIncludes(outcome, "m.smf (file '");
    },
  });
}

Deno.test({
  name: "watch without its folder names the missing permission",
  ignore: !HAS_NATIVE_CODE,
  async fn() {
    const outcome = await run("watch", ["--allow-ffi", "--allow-read=FILE"], ["FILE"]);
    assertStringIncludes(outcome, "PermissionDenied: Cannot watch module: it needs --allow-read=");
    assertStringIncludes(outcome, "m.smf'");
  },
});

Deno.test({
  name: "a Worker without FFI names the missing permission, and its owner goes on",
  ignore: !HAS_NATIVE_CODE,
  async fn() {
    const flags = ["--allow-ffi", `--allow-read=${ROOT}`, "--unstable-worker-options"];
    for (const permissions of ['"none"', `{"ffi":["${OTHER_LIBRARY.replaceAll("\\", "/")}"]}`]) {
      assertStringIncludes(await run("worker", flags, [permissions]), FFI);
    }
  },
});
