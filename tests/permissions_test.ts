// Tries each feature with exactly the permissions that it needs, and checks its error without them.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { hasCommand } from "./support/compilers.ts";
import { answering } from "./support/modules.ts";
import { HAS_NATIVE_CODE } from "./support/native_code.ts";
import { canRun } from "./support/real_archives.ts";
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
  const withPaths = (text: string) => text.replaceAll("FILE", file).replaceAll("FOLDER", directory.path);
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
  ["loadBytes, trust", "--allow-ffi"],
  ["load", "--allow-ffi --allow-read=FILE", "FILE"],
  ["loadAsync", "--allow-ffi --allow-read=FILE", "FILE"],
  ["load, integrity", "--allow-ffi --allow-read=FILE", "FILE"],
  ["cache", "--allow-ffi --allow-read=FOLDER --allow-write=FOLDER", "FILE", "FOLDER"],
  ["open", "--allow-ffi --allow-read=FILE", "FILE"],
  ["watch", "--allow-ffi --allow-read=FOLDER", "FILE"],
  ["cc", "--allow-ffi --allow-run=cc --allow-read=FOLDER --allow-write=FOLDER", "FILE"],
  ["build", "--allow-run=cc --allow-read=FOLDER --allow-write=FOLDER", "FILE"],
  [
    "cc, tcc",
    `--allow-ffi --allow-run=tcc --allow-read=FOLDER,${libraryOfTcc()} --allow-write=FOLDER`,
    "FILE",
  ],
  ["libraries", "--allow-ffi", "", LIBRARY],
  ["share", "--allow-ffi"],
  // Deno itself, not this package, reads the Worker's program.
  ["worker", `--allow-ffi --allow-read=${ROOT} --unstable-worker-options`, '{"ffi":true}'],
];

/** The commands that features run. */
const COMMANDS: Readonly<Record<string, string>> = { cc: "cc", build: "cc", "cc, tcc": "tcc" };

/** Whether this machine can try a feature: a compiler must make objects for it, and `cache` needs owners of files. */
function canTry(feature: string): boolean {
  const command = COMMANDS[feature];
  return HAS_NATIVE_CODE && (command === undefined || canRun && hasCommand(command)) &&
    (feature !== "cache" || !WINDOWS);
}

/** The archive that code of TinyCC needs, where it is. */
function libraryOfTcc(): string {
  if (!hasCommand("tcc")) return "LIBTCC1";
  const { stdout } = new Deno.Command("tcc", { args: ["-print-search-dirs"] }).outputSync();
  return /^libtcc1:\s+(.*)$/m.exec(new TextDecoder().decode(stdout))![1];
}

for (const [feature, permissions, ...args] of NEEDS) {
  Deno.test({
    name: `${feature} needs ${permissions || "no permission"}, and no more`,
    ignore: !canTry(feature),
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
      ignore: !canTry(feature),
      async fn() {
        const flags = permissions.split(" ").filter((each) => each !== "--allow-ffi");
        const outcome = await run(feature, flag === undefined ? flags : [flag, ...flags], args);
        assertStringIncludes(outcome, FFI);
      },
    });
  }
}

for (const [feature, permissions, ...args] of NEEDS.filter(([, flags]) => flags.includes("=FILE"))) {
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

for (
  const [flag, message] of [
    ["--allow-run=cc", "PermissionDenied: Cannot run a C compiler: "],
    ["--allow-read=FOLDER", "PermissionDenied: Cannot build module: Requires read access to "],
    ["--allow-write=FOLDER", "PermissionDenied: Cannot build module: Requires write access to "],
  ]
) {
  Deno.test({
    name: `cc without ${flag} names the missing permission`,
    ignore: !canTry("cc"),
    async fn() {
      const [, permissions, ...args] = NEEDS.find(([feature]) => feature === "cc")!;
      const flags = permissions.split(" ").filter((each) => each !== flag);
      assertStringIncludes(await run("cc", flags, args), message);
    },
  });
}

for (const flag of ["--allow-read=FILE --allow-write=FOLDER", "--allow-read=FOLDER", "--allow-read=FILE"]) {
  Deno.test({
    name: `cache with ${flag} alone names the missing permission`,
    ignore: !canTry("cache"),
    async fn() {
      const outcome = await run("cache", ["--allow-ffi", ...flag.split(" ")], ["FILE", "FOLDER"]);
      assertStringIncludes(outcome, "PermissionDenied: Cannot use cache: it needs --allow-read=");
    },
  });
}

Deno.test({
  name: "cc with TinyCC names the archive that it may not read",
  ignore: !canTry("cc, tcc"),
  async fn() {
    const [, permissions, ...args] = NEEDS.find(([feature]) => feature === "cc, tcc")!;
    const flags = permissions.replace(`,${libraryOfTcc()}`, "").split(" ");
    assertStringIncludes(
      await run("cc, tcc", flags, args),
      `Requires read access to "${libraryOfTcc()}"`,
    );
  },
});

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
