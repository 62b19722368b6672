/**
 * Runs every program in `examples/` with the `deno run …` command in its first comment, and with no permissions
 * but those of that command.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";

const root = fromFileUrl(new URL("../", import.meta.url));
const names = [...Deno.readDirSync(join(root, "examples"))].flatMap(({ name: folder }) =>
  [...Deno.readDirSync(join(root, "examples", folder))].map(({ name }) => `${folder}/${name}`)
).filter((name) => /\/(?:main|loop)\.ts$/.test(name)).sort();
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
    args: [...command[1].split(" ").toSpliced(1, 0, "--no-prompt")],
    cwd: root,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  if (!success) failed++;
}
console.log(`examples: ${names.length - failed} ran, ${failed} failed`);
if (failed > 0 || names.length === 0) Deno.exitCode = 1;
