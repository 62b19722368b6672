/**
 * Runs every program in `examples/` with the `deno run …` command in its first comment, and with no permissions
 * but those of that command.
 *
 *     deno run --allow-read --allow-run .ci/examples.ts [CONFIG]
 *
 * With CONFIG the programs import what that file's `imports` say.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";

const root = fromFileUrl(new URL("../", import.meta.url));
const names = [...Deno.readDirSync(join(root, "examples"))].flatMap(({ name: folder }) =>
  [...Deno.readDirSync(join(root, "examples", folder))].map(({ name }) => `${folder}/${name}`)
).filter((name) => /\/(?:main|loop)\.ts$/.test(name)).sort();
const options = Deno.args.length > 0 ? ["--no-lock", "--config", Deno.args[0]] : [];
let failed = 0;
for (const name of names) {
  const text = Deno.readTextFileSync(join(root, "examples", name));
  const command = /deno (run (?:--\S+ )*examples\/(\S+\.ts))/.exec(text);
  console.log(`--- examples/${name}`);
  if (command?.[2] !== name) {
    console.log(`error: the file has no line 'deno run [--flags] examples/${name}'`);
    failed++;
    continue;
  }
  const { success } = new Deno.Command(Deno.execPath(), {
    args: [...command[1].split(" ").toSpliced(1, 0, "--no-prompt", ...options)],
    cwd: root,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  if (!success) failed++;
}
console.log(`examples: ${names.length - failed} ran, ${failed} failed`);
if (failed > 0 || names.length === 0) Deno.exitCode = 1;
