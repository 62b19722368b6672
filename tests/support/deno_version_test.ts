import { assertEquals } from "@std/assert";
import { compressZstd } from "../../src/smf/compress.ts";
import { HAS_ZSTD, LEAK_CHECKS, olderThan } from "./deno_version.ts";
import { assertLoadError } from "./testing.ts";

Deno.test("versions of Deno are compared by number", () => {
  const older = (version: string) => olderThan(8, version);
  assertEquals(["1.46.3", "2.3.7", "2.4.0", "2.7.14"].map(older), [true, true, true, true]);
  assertEquals(["2.8.0", "2.10.1", "3.0.0"].map(older), [false, false, false]);
});

Deno.test("zstd is there, or the error says that it is not", () => {
  if (HAS_ZSTD) compressZstd(new Uint8Array(9));
  else assertLoadError(() => compressZstd(new Uint8Array(9)), "Unsupported");
});

Deno.test("a test that leaks fails, on every version", async () => {
  const file = Deno.makeTempFileSync({ suffix: "_test.ts" });
  try {
    Deno.writeTextFileSync(file, 'Deno.test("leaks", () => void Deno.openSync(Deno.execPath()));\n');
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--allow-all", "--no-check", "--no-config", ...LEAK_CHECKS, file],
      env: { NO_COLOR: "1" },
    }).output();
    const output = new TextDecoder().decode(stdout);
    assertEquals([code, /Leaks detected/.test(output)], [1, true], output);
  } finally {
    Deno.removeSync(file);
  }
});
