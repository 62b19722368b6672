// Modules of Mach-O objects that are reloaded: their variables stay where they are, and pointers reach new code.
import { assertEquals } from "@std/assert";
import { linkObjects, type LinkOptions, ModuleRegistry } from "../../../mod.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";

const source = (factor: number): string => `
  static int total = 5;
  int shared = 2;
  static int (*chosen)(int);
  __attribute__((noinline)) static int step(int x) { return x * ${factor}; }
  int add(int x) {
    if (!chosen) chosen = step;
    total += chosen(x) + step(x);
    shared++;
    return total;
  }
  int get(void) { return shared; }
`;

const FUNCTIONS = {
  add: { parameters: ["i32"], result: "i32" },
  get: { parameters: [], result: "i32" },
} as const;

for (const [kind, options] of [["reloadable", { reloadable: true }], ["hot", { hot: true }]] as const) {
  testWithCompilers(["clang-14"], `variables of a ${kind} module stay`, async (folder) => {
    const version = async (factor: number): Promise<Uint8Array> => {
      Deno.writeTextFileSync(`${folder}/a.c`, source(factor));
      await compile("clang-14", ["--target=x86_64-apple-macos11", "-O2", "-c", "a.c", "-o", "a.o"], folder);
      const link: LinkOptions = { platform: Platform.Linux, ...options };
      return linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }], link).bytes;
    };
    const path = `${folder}/counter.smf`;
    Deno.writeFileSync(path, await version(1));
    using registry = new ModuleRegistry();
    const { symbols } = registry.load(path).bind(FUNCTIONS);
    assertEquals([symbols.add(1), symbols.get()], [7, 3]);
    Deno.writeFileSync(`${path}.new`, await version(10));
    Deno.renameSync(`${path}.new`, path);
    const { carried } = await registry.reload(path, { state: "keep" });
    assertEquals(carried?.kept.toSorted(), ["chosen", "shared", "total"]);
    const next = registry.load(path).bind(FUNCTIONS);
    assertEquals([next.symbols.add(1), next.symbols.get()], [27, 4]);
  });
}
