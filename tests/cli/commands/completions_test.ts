// smf completions: scripts for shells, from the commands and their help.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { hasCommand } from "../../support/compilers.ts";
import { smf } from "../../support/smf_command.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

Deno.test({
  name: "bash completes commands, and the options of each",
  ignore: Deno.build.os === "windows" || !hasCommand("bash"),
  async fn() {
    using folder = new TemporaryDirectory();
    const { code, out } = await smf("completions", "bash");
    assertEquals(code, 0);
    const script = folder.file("smf.bash", new TextEncoder().encode(out.join("\n")));
    const complete = (...words: string[]): string[] => {
      const list = words.map((word) => `'${word}'`).join(" ");
      const text = `source '${script}'; COMP_WORDS=(${list}); COMP_CWORD=${
        words.length - 1
      }; _smf; echo "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = new Deno.Command("bash", { args: ["--norc", "-c", text], cwd: folder.path })
        .outputSync();
      assertEquals(new TextDecoder().decode(stderr), "");
      return new TextDecoder().decode(stdout).trim().split(/\s+/).filter((word) => word !== "");
    };
    assertEquals(complete("smf", "lin"), ["link"]);
    assertEquals(complete("smf", "help", "ha"), ["hash"]);
    assertEquals(complete("smf", "link", "--export-dynamic-symbol-"), ["--export-dynamic-symbol-list"]);
    assertEquals(complete("smf", "nm", "--js"), ["--json"]);
    assertEquals(complete("smf", "nm", "smf."), ["smf.bash"]);
  },
});

Deno.test("each script has every command, with its options", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await smf("completions", shell);
    assertEquals(code, 0);
    const text = out.join("\n");
    for (const command of ["inspect", "dev", "completions"]) {
      assert(text.includes(command), `${shell}: ${command}`);
    }
    // Options in the prose of a help text are those of other programs.
    assert(!text.includes("allow-ffi"), shell);
    assertMatch(text, /(?:--|-l )old-pointers/);
  }
});

Deno.test("a shell that is not known is wrong usage", async () => {
  for (const args of [[], ["tcsh"], ["bash", "zsh"], ["constructor"]]) {
    const { code, err } = await smf("completions", ...args);
    assertEquals([code, err], [2, ["smf completions: name one shell: bash, zsh, fish"]]);
  }
});
