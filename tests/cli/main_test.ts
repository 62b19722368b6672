// The program as a whole: help, usage errors, colours; and as a process with pipes, permissions and exit codes.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { addModule, TemporaryDirectory } from "../support/testing.ts";
import { smf, smfCommand, smfOn, smfProcess } from "../support/smf_command.ts";

/** Child processes take seconds under emulation, and nothing here depends on the processor. */
const EMULATED = Deno.build.arch === "aarch64";

const COMMANDS = [
  "inspect",
  "nm",
  "symbolize",
  "types",
  "verify",
  "diff",
  "run",
  "init",
  "build",
  "embed",
  "dev",
  "watch",
  "ld",
  "link",
  "convert",
  "sign",
  "keygen",
  "hash",
  "doctor",
  "completions",
];
const ESCAPE = "\x1b[";

Deno.test("--help lists the commands, and each command's help has options and examples", async () => {
  const { code, out } = await smf("--help");
  assertEquals(code, 0);
  const text = out.join("\n");
  const listed = [...text.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name);
  assertEquals(listed.toSorted(), COMMANDS.toSorted());
  for (const command of listed) {
    for (const flag of ["--help", "-h"]) {
      // Arguments behind the program of smf dev are the program's.
      const args = command === "dev" ? [flag, "anything"] : ["anything", flag];
      const { code, out, err } = await smf(command, ...args);
      assertEquals([code, err], [0, []], command);
      assertMatch(out[0], new RegExp(`^smf ${command} `));
      assertStringIncludes(out.join("\n"), "--color WHEN");
      assertStringIncludes(out.join("\n"), `\nExamples:\n  smf ${command} `);
      if (!["ld", "dev", "completions"].includes(command)) assertStringIncludes(out.join("\n"), "--json");
      assert(out.every((line) => line.length <= 100), `${command}: a line is too long for a terminal`);
    }
  }
});

Deno.test("help of a command has two spellings, and the version is that of the package", async () => {
  assertEquals(await smf("help", "nm"), await smf("nm", "--help"));
  assertEquals(await smf("help"), await smf("--help"));
  assertEquals((await smf("help", "frob")).code, 2);
  const { version } = JSON.parse(Deno.readTextFileSync("deno.json"));
  for (const flag of ["--version", "-V"]) assertEquals((await smf(flag)).out, [`smf ${version}`]);
});

Deno.test("several files: each has its part, one that cannot be read leaves the others, the worst exit code counts", async () => {
  const files = ["fixtures/mylib.smf", "fixtures/data.smf"];
  for (const command of ["nm", "hash", "verify"]) {
    const single = await Promise.all(files.map((file) => smf(command, file)));
    const { code, out } = await smf(command, ...files);
    assertEquals(code, 0);
    const parts = out.join("\n").split("\n\n").map((part) => part.replace(/^fixtures\/\w+\.smf:\n/, ""));
    assertEquals(parts, single.map(({ out }) => out.join("\n")), command);
    const json = await smf(command, "--json", ...files);
    assertEquals(json.out.map((line) => JSON.parse(line).file), files);
    const broken = await smf(command, files[0], "gone.smf", files[1]);
    assertEquals([broken.code, broken.err.length], [2, 1], command);
    assertStringIncludes(broken.err[0], "gone.smf: Cannot read");
    assertEquals(broken.out.filter((line) => line !== ""), out.filter((line) => line !== ""));
    assertEquals((await smf(command, files[0], "-")).code, 2);
  }
});

Deno.test("a command has the options that its help names, and no others", async () => {
  // Options that smf dev does not have are those of deno run.
  for (const command of COMMANDS.filter((each) => each !== "dev")) {
    const isOther = (line: string): boolean =>
      /^ {2}smf /.test(line) && !line.startsWith(`  smf ${command} `);
    const help = (await smf(command, "--help")).out.filter((line) => !isOther(line)).join("\n");
    const { code, err } = await smf(command, "--no-such-option", "x", "y");
    assertEquals(code, 2, command);
    assertStringIncludes(err[0], `smf ${command}: there is no option '--no-such-option'`);
    // The arguments after -- belong to the program that runs.
    for (const [option] of help.replace(/ -- .*/g, "").matchAll(/--[a-z-]+/g)) {
      if (
        option.startsWith("--allow-") && option !== "--allow-undefined" &&
        option !== "--allow-multiple-definition"
      ) {
        continue;
      }
      const { err } = await smf(command, option);
      assert(!err.join("\n").includes("there is no option"), `${command} ${option}: ${err}`);
    }
  }
});

Deno.test("wrong usage names the missing argument and ends with code 2", async () => {
  const cases: [args: string[], message: string][] = [
    [[], "smf <command>"],
    [["frob"], "no command 'frob'"],
    [["inspct"], "no command 'inspct' (did you mean 'inspect'?)"],
    [["constructor"], "no command 'constructor'"],
    [["inspect"], "name a file"],
    [["inspect", "a", "b"], "'b' is one too many"],
    [["hash", "--color", "pink", "x"], "--color takes auto, always or never"],
    [["nm", "no/such/file.smf"], "no/such/file.smf: Cannot read"],
    [["nm", "tests"], "tests: Cannot read"],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await smf(...args);
    assertEquals([code, out], [2, []], args.join(" "));
    assertStringIncludes(err.join("\n"), message);
  }
});

Deno.test("colours appear on a terminal or on request, and not in a pipe", async () => {
  const coloured = async (terminal: boolean, ...args: string[]) => {
    const terminals = { print: terminal, complain: terminal };
    return (await smfOn({ terminals }, "inspect", "fixtures/mylib.smf", ...args)).out.join("").includes(
      ESCAPE,
    );
  };
  assertEquals(await coloured(false), false);
  assertEquals(await coloured(true), !Deno.noColor);
  assertEquals(await coloured(true, "--color=never"), false);
  assertEquals(await coloured(false, "--color=always"), true);
});

Deno.test({
  name: "as a process with read permission only: file, standard input, bad file, missing file",
  ignore: EMULATED,
  async fn() {
    const bytes = Deno.readFileSync("fixtures/mylib.smf");
    const env = { NO_COLOR: "1" };
    const [help, file, piped, bad, missing] = await Promise.all([
      smfProcess(["--help"], { permissions: [] }),
      smfProcess(["nm", "fixtures/mylib.smf"], { env }),
      smfProcess(["inspect", "-", "--json"], { stdin: bytes, permissions: [] }),
      smfProcess(["inspect", "fixtures/malformed/row19_name_hash.smf"]),
      smfProcess(["hash", "no_such_file.smf"]),
    ]);
    assertEquals([help.code, help.err], [0, []]);
    assertEquals([file.code, file.err], [0, []]);
    assertStringIncludes(file.out.join("\n"), "  T  add");
    assertEquals([piped.code, piped.err, JSON.parse(piped.out[0]).version], [0, [], 1]);
    assertEquals([bad.code, bad.out], [1, []]);
    assertStringIncludes(bad.err[0], "its stored hash does not match its name");
    assertMatch(bad.err[1], /^next: /);
    assertEquals([missing.code, missing.out, missing.err.length], [2, [], 1]);
    assertStringIncludes(missing.err[0], "no_such_file.smf: Cannot read");
  },
});

Deno.test(
  "standard input that is not a module is reported under its name",
  { ignore: EMULATED },
  async () => {
    const { code, err } = await smfProcess(["nm", "-"], { stdin: new Uint8Array(0), permissions: [] });
    assertEquals([code, err[0]], [1, "standard input: Cannot read the file: it is empty (offset 0x0)"]);
  },
);

Deno.test("the reader of the output may close it before its end", { ignore: EMULATED }, async () => {
  const io = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const child = smfCommand(["inspect", "--hex", "fixtures/real_h96.smf"], {}, io).spawn();
  await child.stdout.cancel();
  const stderr = await new Response(child.stderr).text();
  assertEquals([(await child.status).code, stderr], [0, ""]);
});

Deno.test("convert needs write permission", { ignore: EMULATED }, async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", addModule());
  const args = ["convert", path, "-o", folder.join("b.smf")];
  const [refused, allowed] = await Promise.all([
    smfProcess(args),
    smfProcess(args, { permissions: ["--allow-read", "--allow-write"] }),
  ]);
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.err[0], "--allow-write");
  assertEquals(allowed, { code: 0, out: [], err: [] });
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name).toSorted(), ["a.smf", "b.smf"]);
});
