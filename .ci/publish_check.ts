/**
 * Runs `deno publish --dry-run` without JSR.
 *
 * The linked copies of the standard library are inside the package's folder, where `deno publish` takes their
 * modules for parts of the package that `publish.include` lacks. So this checks a copy of the published files,
 * with the links beside it.
 *
 * @module
 */
import { dirname, fromFileUrl, join, relative } from "@std/path";

const root = fromFileUrl(new URL("../", import.meta.url));
const config = JSON.parse(Deno.readTextFileSync(join(root, "deno.json")));
const work = Deno.makeTempDirSync({ prefix: "publish-check-" });
const copy = join(work, "package");

function copyInto(target: string, source: string): void {
  if (Deno.statSync(source).isDirectory) {
    for (const entry of Deno.readDirSync(source)) {
      copyInto(join(target, entry.name), join(source, entry.name));
    }
  } else {
    Deno.mkdirSync(dirname(target), { recursive: true });
    Deno.copyFileSync(source, target);
  }
}

try {
  for (const name of config.publish.include) copyInto(join(copy, name), join(root, name));
  copyInto(join(work, ".ci"), join(root, ".ci", "std"));
  config.links = config.links.map((link: string) =>
    join("..", ".ci", relative(".ci/std", link)).replaceAll("\\", "/")
  );
  Deno.writeTextFileSync(join(copy, "deno.json"), JSON.stringify(config));
  const { code } = new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: copy,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).outputSync();
  Deno.exitCode = code;
} finally {
  Deno.removeSync(work, { recursive: true });
}
