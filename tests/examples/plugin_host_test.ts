// The host of signed plugins: `smf sign` makes a plugin that it runs; others it refuses, and says why.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { PluginHost } from "../../examples/plugin_host/host.ts";
import { makeKeys } from "../../src/smf/sign.ts";
import { assertLoadError, TemporaryDirectory } from "../support/testing.ts";
import { smf } from "../support/smf_command.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const FOLDER = `${ROOT}/examples/plugin_host`;
const TARGET = `${Deno.build.os}-${Deno.build.arch}`;
const PUBLISHER = Deno.readTextFileSync(`${FOLDER}/publisher.pub`);

/** A plugin as it is built for this system; undefined where none is. */
function built(name: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(`${FOLDER}/${TARGET}/${name}.smf`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A host that trusts these keys, and what its plugins have printed. */
class Host extends PluginHost {
  readonly lines: string[];

  constructor(...keys: string[]) {
    const lines: string[] = [];
    super({ keys, lineWidth: 10, log: (line) => lines.push(line) });
    this.lines = lines;
  }
}

const unsigned = built("stranger")!;
const ignore = unsigned === undefined;

Deno.test({
  name: "a plugin that smf sign has signed runs, and calls the host back",
  ignore,
  async fn() {
    using folder = new TemporaryDirectory();
    const file = folder.file("stranger.smf", unsigned);
    const { code, out } = await smf("sign", file, "--key", "fixtures/publisher.pem");
    assertEquals(code, 0);
    assertStringIncludes(out[0], "stranger.smf: signed by ed25519-");
    using host = new Host(PUBLISHER);
    // Twice: nothing of the first time is left.
    for (let time = 0; time < 2; time++) {
      assertEquals(host.run("stranger", Deno.readFileSync(file), "abc"), "ABC");
    }
    assertEquals(host.run("wrap", built("wrap")!, "one two three four"), "one two\nthree four");
    assertEquals(host.lines, ["louder now", "louder now"]);
  },
});

Deno.test({
  name: "plugins of strangers, changed ones and greedy ones are refused before their code runs",
  ignore,
  async fn() {
    const other = await makeKeys();
    using folder = new TemporaryDirectory();
    const key = folder.file("other.pem", new TextEncoder().encode(other.privateKey));
    const file = folder.file("stranger.smf", unsigned);
    await smf("sign", file, "--key", key);
    const changed = built("shout")!;
    const at = changed.findIndex((_, at) => String.fromCharCode(...changed.subarray(at, at + 5)) === "loude");
    assert(at > 0);
    changed[at] ^= 1;
    changed.fill(0, 0x40, 0x48);
    const cases = [
      [unsigned, "Untrusted", "nobody has signed it"],
      [Deno.readFileSync(file), "Untrusted", "no trusted key has signed it"],
      [changed, "Untrusted", "it was changed after it had been signed"],
      [built("thief")!, "ForbiddenImport", "it imports 'getenv'"],
    ] as const;
    using host = new Host(PUBLISHER);
    for (const [bytes, kind, problem] of cases) {
      const { message } = assertLoadError(() => host.run("plugin", bytes, "abc"), kind);
      assertStringIncludes(message, problem);
    }
    assertEquals(host.lines, []);
    // It goes on with others.
    assertEquals(host.run("shout", built("shout")!, "abc"), "ABC");
  },
});

Deno.test({
  name: "while a key is replaced, plugins by the old and the new one run",
  ignore,
  async fn() {
    const fresh = await makeKeys();
    using folder = new TemporaryDirectory();
    const key = folder.file("new.pem", new TextEncoder().encode(fresh.privateKey));
    const file = folder.file("shout.smf", built("shout")!);
    await smf("sign", file, "--key", key);
    for (const keys of [[PUBLISHER], [fresh.publicKey], [PUBLISHER, fresh.publicKey]]) {
      using host = new Host(...keys);
      assertEquals(host.run("shout", Deno.readFileSync(file), "abc"), "ABC");
    }
  },
});

Deno.test({
  name: "the program runs the files that it is given, and says what to do about one that it refuses",
  ignore,
  async fn() {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "--allow-ffi", "--allow-read", `${FOLDER}/main.ts`],
        ...["shout", "stranger"].map((name) => `${FOLDER}/${TARGET}/${name}.smf`),
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split(/\r?\n/);
    assertEquals(code, 1);
    assertEquals(lines.at(-1), "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG.");
    assert(lines.some((line) => line.startsWith("  refused, Untrusted: ")), lines.join("\n"));
    assert(lines.some((line) => line.startsWith("  next: ask who built it")), lines.join("\n"));
  },
});
