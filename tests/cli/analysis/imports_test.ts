import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const FOLDER = fromFileUrl(new URL("../../../src/cli/analysis/", import.meta.url));

Deno.test("analysis prints nothing, and imports nothing from commands or the terminal", () => {
  const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name);
  assert(files.length > 0);
  for (const name of files) {
    const text = Deno.readTextFileSync(FOLDER + name);
    const forbidden = text.match(/"[^"]*\/(?:terminal|commands)\/[^"]*"|\bDeno\.|\bconsole\.|\bwriter\b/g) ??
      [];
    assertEquals([...forbidden], [], name);
  }
});
