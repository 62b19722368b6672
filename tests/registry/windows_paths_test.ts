// Spellings of one file on Windows.
import { assertEquals, assertStrictEquals } from "@std/assert";
import { resolve, toFileUrl } from "@std/path";
import { FOLDER } from "../../fixtures/build_platform.ts";
import { ModuleRegistry } from "../../mod.ts";
import { TemporaryDirectory } from "../support/testing.ts";

const VERSION = { parameters: [], result: "i32" } as const;
const IMPORTS = {
  host_value: { parameters: ["i32"], result: "i32", callback: (value: number) => value },
} as const;
const LIBRARIES = ["kernel32.dll", "ucrtbase.dll"];

function windowsTest(name: string, fn: () => void): void {
  Deno.test({ name, ignore: Deno.build.os !== "windows", fn });
}

const bytes = (version: number): Uint8Array<ArrayBuffer> =>
  Deno.readFileSync(new URL(`windows-x86_64_v${version}.smf`, FOLDER));

windowsTest("one file is one module, however its path is spelled", () => {
  using directory = new TemporaryDirectory();
  const path = resolve(directory.file("Sample Ä.smf", bytes(1)));
  using registry = new ModuleRegistry({ imports: IMPORTS, libraries: LIBRARIES });
  const module = registry.load(path);
  const spellings = [
    path.replaceAll("\\", "/"),
    path[0].toLowerCase() + path.slice(1),
    path[0].toUpperCase() + path.slice(1),
    `\\\\?\\${path}`,
    toFileUrl(path),
  ];
  for (const spelling of spellings) {
    using again = registry.load(spelling);
    assertStrictEquals(again.path, module.path, String(spelling));
  }
  assertEquals([...registry.modules()].length, 1);
});

windowsTest(
  "a file that is open elsewhere loads, and may be written, renamed and deleted while it is loaded",
  () => {
    using directory = new TemporaryDirectory();
    const path = directory.file("sample.smf", bytes(1));
    using registry = new ModuleRegistry({ imports: IMPORTS, libraries: LIBRARIES });
    {
      using _elsewhere = Deno.openSync(path, { read: true, write: true });
      registry.load(path);
    }
    const answer = (): number => registry.load(path).getFunction("version", VERSION)!();
    assertEquals(answer(), 1);
    Deno.writeFileSync(`${path}.new`, bytes(2));
    Deno.renameSync(`${path}.new`, path);
    assertEquals(registry.load(path).getFunction("version", VERSION)!(), 1, "not before it is reloaded");
    registry.reload(path);
    assertEquals(answer(), 2);
    Deno.removeSync(path);
    assertEquals(registry.unload(path, { force: true }), true);
  },
);
