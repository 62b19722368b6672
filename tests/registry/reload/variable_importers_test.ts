import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { build } from "../../support/modules.ts";
import { NOT_LINUX_X86_64 } from "../../support/testing.ts";

const twoVariables = "an importer of two variables of one module follows with both";
// The routines are x86-64 machine code.
Deno.test({ name: twoVariables, ignore: NOT_LINUX_X86_64 }, () => {
  using registry = new ModuleRegistry({ keepVersions: 0 });
  const word = (value: bigint) => new Uint8Array(new BigInt64Array([value]).buffer);
  const provider = (x: bigint, y: bigint) => build({ data: { x: word(x), y: word(y) } });
  registry.loadBytes("provider", provider(1n, 2n));
  const importer = registry.loadBytes(
    "importer",
    build({
      importedData: ["x", "y"],
      routines: {
        get_x: { hex: "48 8b 05 00 00 00 00 48 8b 00 c3", refersByGot: { 3: "x" } },
        get_y: { hex: "48 8b 05 00 00 00 00 48 8b 00 c3", refersByGot: { 3: "y" } },
      },
    }),
  );
  const { symbols } = importer.bind({
    get_x: { parameters: [], result: "i64" },
    get_y: { parameters: [], result: "i64" },
  });
  assertEquals([symbols.get_x(), symbols.get_y()], [1n, 2n]);
  registry.reload("provider", { bytes: provider(3n, 4n) });
  assertEquals([symbols.get_x(), symbols.get_y()], [3n, 4n]);
});
