// Found by review: what a reload must not end while somebody is in it, and what
// it must not do between two commits.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { NOT_LINUX_X86_64 } from "../../support/testing.ts";
import { build, importing, nativeTest, ROUTINES } from "../../support/modules.ts";

nativeTest("a provider that is replaced stays while an importer's nonblocking call is in it", async () => {
  const allocator = new FailingAllocator();
  const flag = new Int32Array(1);
  {
    await using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
    const provider = build({ routines: { wait: ROUTINES.wait } });
    let handle = registry.loadBytes("provider", provider);
    const { address } = handle.codeMemory;
    registry.loadBytes("importer", importing("wait", "f"));
    const live = registry.open("importer", {
      f: { parameters: ["buffer"], result: "i32", nonblocking: true },
    });
    const result = live.symbols.f(flag);
    for (let round = 0; round < 3; round++) {
      const next = registry.reload("provider", { bytes: provider });
      handle.close();
      handle = next;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const stays = [...allocator.live].some((memory) => memory.address === address);
    Atomics.store(flag, 0, 9);
    assertEquals(await result, 10);
    assertEquals(stays, true);
  }
  assertEquals(allocator.live.size, 0);
});

nativeTest("reloading importer and provider together, again and again, leaves nothing behind", async () => {
  const allocator = new FailingAllocator();
  {
    await using registry = new ModuleRegistry({ allocator });
    const directory = Deno.makeTempDirSync();
    try {
      const paths = ["provider", "importer"].map((name) => `${directory}/${name}.smf`);
      Deno.writeFileSync(paths[0], build({ routines: { value: ROUTINES.add32 } }));
      Deno.writeFileSync(paths[1], importing("value", "f"));
      registry.loadAll(paths);
      const INTS = { parameters: ["i32", "i32"], result: "i32" } as const;
      const [{ symbols }] = [
        registry.open(paths[1], { f: INTS }),
        // So that the handles below are not the last ones.
        registry.open(paths[0], { value: INTS }),
      ];
      const counts: number[] = [];
      for (let round = 0; round < 8; round++) {
        for (const handle of registry.reloadAll([...paths].reverse())) handle.close();
        counts.push(allocator.live.size);
      }
      assertEquals(new Set(counts.slice(2)).size, 1, `flat: ${counts}`);
      assertEquals(symbols.f(2, 3), 6);
      for (const path of paths) registry.unload(path, { force: true });
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  }
  assertEquals(allocator.live.size, 0);
});

const twoVariables = "an importer of two variables of one module follows with both";
// The routines below are x86-64's alone.
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
