// The harness for other linkers' tests: scripts of our own, one for each way in which a script can come out.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { testWithCompilers } from "../support/compilers.ts";
import { findScripts } from "./sources.ts";
import { type Outcome, PeerFolder } from "./trial.ts";

const SCRIPTS = fromFileUrl(new URL("./scripts/", import.meta.url));

testWithCompilers(
  ["gcc", "cc", "bash", "readelf", "timeout"],
  "scripts run with smf ld as the linker, and say why they fail",
  async (folder) => {
    const peers = new PeerFolder(folder, SCRIPTS);
    const names = peers.scripts();
    assertEquals(
      names,
      [
        ...["asks_to_be_skipped", "fixed_address", "hangs", "libraries", "native", "program", "reads_elf"],
        ...["runs_differently", "unknown_option"],
      ].map((name) => `${name}.sh`),
    );
    const outcomes: Record<string, Outcome> = {};
    for (const script of names) {
      outcomes[script.slice(0, -3)] = await peers.run(script, script === "hangs.sh" ? 500 : 300_000);
    }
    const shown = Object.values(outcomes).map(({ name, kind, reason, detail }) =>
      kind === "failed" ? `${name}: ${reason}` : `${name}: ${kind}${detail ?? ""}`
    );
    assertEquals(shown, [
      "asks_to_be_skipped: skipped",
      "fixed_address: passed",
      "hangs: takes too long",
      "libraries: passed",
      "native: passed",
      "program: passed",
      "reads_elf: looks at ELF output",
      "runs_differently: runs differently",
      "unknown_option: no option --no-such-option=",
    ], JSON.stringify(outcomes, undefined, 1));
    assertStringIncludes(outcomes.runs_differently.detail!, "$QEMU $t/exe");
  },
);

testWithCompilers(
  ["tar"],
  "the scripts are found in the folders that mold's sources had them in",
  async (folder) => {
    for (const place of ["new/test", "old/test/elf", "plain"]) {
      Deno.mkdirSync(`${folder}/${place}`, { recursive: true });
      Deno.writeTextFileSync(`${folder}/${place}/common.inc`, "");
    }
    assertEquals(await findScripts(folder, `${folder}/new`), `${folder}/new/test`);
    assertEquals(await findScripts(folder, `${folder}/old`), `${folder}/old/test/elf`);
    assertEquals(await findScripts(folder, `${folder}/plain`), `${folder}/plain`);
    let problem = "";
    await findScripts(folder, `${folder}/none`).catch((error) => problem = error.message);
    assertStringIncludes(problem, "has no test scripts of mold");
  },
);
