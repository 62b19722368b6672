/**
 * Row 42: processes that are killed during a reload leave nothing behind that
 * disturbs the next one. `SMF_STRESS=1` kills 200.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { answering, nativeTest } from "../support/modules.ts";
import { randomFrom, stress, TemporaryDirectory } from "../support/testing.ts";

const CHILD = fromFileUrl(new URL("./kill_child.ts", import.meta.url));

/** The longest time before a kill, in milliseconds. */
const LONGEST_MS = 60;

function start(path: string, temporary: string, ...more: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", CHILD, path, ...more],
    env: { NO_COLOR: "1", TMPDIR: temporary, TMP: temporary, TEMP: temporary },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** The paths of all files below a folder, without those of folders. */
function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`).map((file) => `${name}/${file}`) : [name]
  );
}

const count = stress(200);

nativeTest(
  `${count} processes killed while they reload: the next one starts clean, and no file is left`,
  async () => {
    using modules = new TemporaryDirectory();
    using temporary = new TemporaryDirectory();
    const path = modules.file("m.smf", answering(1001));
    const random = randomFrom(8);
    for (let kill = 0; kill < count; kill++) {
      const child = start(path, temporary.path);
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      // The remains of the processes before did not stop it.
      assertEquals(new TextDecoder().decode(value), "running\n", `after ${kill} kills`);
      await new Promise((resolve) => setTimeout(resolve, random() % LONGEST_MS));
      child.kill("SIGKILL");
      const { success, code } = await child.status;
      await reader.cancel();
      assert(!success && code !== 3, `it ended by itself with ${code}`);
      assertEquals(filesBelow(modules.path), ["m.smf"]);
    }
    const last = start(path, temporary.path, "once");
    const { code, stdout } = await last.output();
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "running\n"]);
    assertEquals(filesBelow(temporary.path), []);
  },
);
