// Every example says what it shows and how to run it; those with built modules run on every platform.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { testSince } from "./support/deno_version.ts";
import { smf } from "./support/smf_command.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const NAMES = [...Deno.readDirSync(join(ROOT, "examples"))].map(({ name }) => name).toSorted();

/** Returns the arguments of the command line in an example's first comment. */
function commandOf(name: string): string[] {
  const text = Deno.readTextFileSync(join(ROOT, "examples", name, "main.ts"));
  // The comment begins with what the example shows; the command has a line of its own.
  assertMatch(text, /^\/\*\*\n \* [A-Z][^@]*?[.:]/, name);
  const [, command] = /^ \* {5}deno (run .*)$/m.exec(text) ?? [];
  assert(command?.endsWith(` examples/${name}/main.ts`), `${name} does not say how to run it`);
  assert(!/ (?:-A|--allow-all)\b/.test(command), `${name} asks for every permission`);
  return command.split(" ");
}

Deno.test("every example says what it shows and which permissions it needs", () => {
  assert(NAMES.length >= 7);
  for (const name of NAMES) commandOf(name);
});

for (
  const name of [
    "embed_bytes",
    "image_filter",
    "particles",
    "plugin_host",
    "quickstart",
    "worker_pool",
  ]
) {
  // Imports of bytes came with Deno 2.4.
  testSince(name === "embed_bytes" ? 5 : 0, `examples/${name} runs by its own command`, async () => {
    const [run, ...args] = commandOf(name);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [run, "--no-prompt", "--no-check", ...args],
      cwd: ROOT,
      stdin: "null",
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    assert(stdout.length > 0);
  });
}

Deno.test("the types that an example uses are those of its module", async () => {
  const module = "examples/particles/linux-x86_64/particles_v2.smf";
  const { code, err } = await smf("types", module, "--check", "examples/particles/particles.ts");
  assertEquals(code, 0, err.join("\n"));
});
