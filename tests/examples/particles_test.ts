// The game loop with particles under `smf dev`: it is changed while it runs, and drawn on a terminal.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { testWithCompilers } from "../support/compilers.ts";
import { DevSession } from "../support/dev_session.ts";
import { smf } from "../support/smf_command.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const FOLDER = join(ROOT, "examples", "particles");
/** How the program finds the package. */
const OPTIONS = [`--config=${ROOT}/deno.json`, "--no-check"];

/** Copies the sources of the example. */
function copyTo(folder: string): void {
  for (const { name, isFile } of Deno.readDirSync(FOLDER)) {
    if (isFile) Deno.copyFileSync(join(FOLDER, name), join(folder, name));
  }
}

const STATUS = /^([\d.]+) s, mean height ([\d.]+), (\d+) hot, the first is '(\w+)'$/;

testWithCompilers(["cc"], "particles go on over a change, a new field and an error", async (folder) => {
  copyTo(folder);
  const source = join(folder, "particles.c");
  const change = (from: string, to: string): void => {
    const text = Deno.readTextFileSync(source);
    assertStringIncludes(text, from);
    Deno.writeTextFileSync(source, text.replaceAll(from, to));
  };
  await using session = new DevSession(folder, [...OPTIONS, "game.ts"]);
  // They fall.
  let at = await session.line(/mean height 0\.[0-4]/);

  change("p->vy -= 1.5f", "p->vy += 1.5f");
  at = await session.line(/^smf: particles: version 2 in .*, kept .*\bparticles\b/, at);
  // They rise, and stay at the top in the end.
  at = await session.line(/mean height 0\.[89]/, at);

  change("#if VERSION == 2", "#if 1");
  at = await session.line(/^smf: particles: converted: particles: struct particle: \+ float heat;/, at);
  at = await session.line(/, [1-9]\d* hot, the first is 'me'$/, at);

  change("elapsed += time;", "elapsed += time");
  at = await session.line(/^smf: particles: not built, the running version goes on$/, at);
  await session.line(STATUS, at);

  const seen = session.lines.map((line) => STATUS.exec(line)).filter((found) => found !== null);
  // It has been one game from its beginning.
  const times = seen.map(([, time]) => Number(time));
  assertEquals(times, times.toSorted((a, b) => a - b));
  assert(times[0] < 0.5 && times[times.length - 1] > times[0]);
  assert(seen.every(([, , , , name]) => name === "me"));
});

/** Runs a program on a terminal until it has drawn some pictures, and presses Ctrl-C; what it has written. */
async function onTerminal(cwd: string, command: readonly string[]): Promise<string> {
  await using child = new Deno.Command("script", {
    args: ["--quiet", "--return", "--command", command.map((word) => `'${word}'`).join(" "), "/dev/null"],
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const watchdog = setTimeout(() => child.kill("SIGKILL"), 120_000);
  const keys = child.stdin.getWriter();
  let text = "", isPressed = false;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (isPressed || text.split("\x1b[H").length < 8) continue;
    isPressed = true;
    await keys.write(new Uint8Array([3]));
  }
  await keys.close().catch(() => {});
  clearTimeout(watchdog);
  return text.replaceAll("\r\n", "\n");
}

testWithCompilers(["cc", "script"], "on a terminal it draws in one place", async (folder) => {
  copyTo(folder);
  const { code, err } = await smf("build", "--project", join(folder, "smf.json"));
  assertEquals(code, 0, err.join("\n"));
  const run = [Deno.execPath(), "run", "--no-prompt", "--allow-ffi", "--allow-read", ...OPTIONS];
  const text = await onTerminal(folder, [...run, "game.ts"]);
  // An empty screen, pictures that begin at its corner, and the cursor again in the end.
  assert(text.startsWith("\x1b[2J\x1b[?25l\x1b[H+---"), JSON.stringify(text.slice(0, 400)));
  const pictures = text.split("\x1b[H").slice(1);
  assert(pictures.length > 5);
  for (const picture of pictures.slice(0, -1)) {
    const [top, ...rows] = picture.split("\n");
    assertEquals(top, `+${"-".repeat(60)}+`);
    assert(rows.slice(0, 12).every((row) => /^\|[ o]{60}\|$/.test(row)), picture);
    assertMatch(rows[13], /mean height/);
  }
  assert(text.endsWith("\x1b[?25h"), JSON.stringify(text.slice(-100)));
});
