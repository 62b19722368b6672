// Row 32: a module file that changes while it is loaded never becomes a module that is half old and half new.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ModuleLoader } from "../../../mod.ts";
import { WINDOW } from "../../../src/load/file/read_ahead.ts";
import { RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import {
  addModule,
  checkLoadError,
  hostBuilder,
  importerModule,
  TemporaryDirectory,
  unhashed,
  WatchedAllocator,
} from "../../support/testing.ts";

const INT = { parameters: [], result: "i32" } as const;

/** A file whose reading can be interfered with: its resolver runs after the tables and before the sections. */
async function changedWhileRead(
  bytes: Uint8Array,
  change: (path: string) => void,
  check: (error: unknown, path: string) => void,
): Promise<void> {
  using directory = new TemporaryDirectory();
  const path = directory.join("a.smf");
  const allocator = new WatchedAllocator();
  const loader = new ModuleLoader({ allocator });
  const prepare = () => {
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, 1000, 1000);
    return () => {
      change(path);
      return 0x1000n;
    };
  };
  check(assertThrows(() => loader.load(path, prepare())), path);
  check(await assertRejects(() => loader.loadAsync(path, prepare())), path);
  assertEquals(allocator.live.size, 0);
  assertEquals(allocator.mappings(), []);
}

Deno.test("a file that is truncated between its tables and its sections is refused", async () => {
  for (const length of [0, 50, 200]) {
    await changedWhileRead(
      importerModule(["a"]),
      (path) => Deno.truncateSync(path, length),
      (error, path) => checkLoadError(error, "Io", { path }),
    );
  }
});

Deno.test("a file that is overwritten between its tables and its sections is refused by its hash", async () => {
  // Too large for its sections to be read together with its tables.
  const builder = hostBuilder();
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(2 * WINDOW).fill(1) });
  const symbol = builder.symbol({ name: "a", type: SymbolType.None, defined: false });
  builder.relocation({ offset: 0, symbol, type: RelocationType.Abs64 });
  const bytes = builder.build();
  await changedWhileRead(
    bytes,
    (path) => Deno.writeFileSync(path, bytes.map((byte) => byte ^ 0xff)),
    (error, path) => {
      const { message } = checkLoadError(error, "InvalidFormat", { path });
      assert(message.includes("hash"), message);
    },
  );
});

Deno.test("a small file that is overwritten while it is loaded is refused by its time", async () => {
  const bytes = importerModule(["a"]);
  await changedWhileRead(
    bytes,
    (path) => Deno.writeFileSync(path, bytes.map((byte) => byte ^ 0xff)),
    (error, path) => checkLoadError(error, "Io", { path, size: bytes.length }),
  );
});

Deno.test("a file without a hash that is overwritten while it is loaded is refused by its time", async () => {
  const bytes = unhashed(importerModule(["a"]));
  await changedWhileRead(
    bytes,
    (path) => Deno.writeFileSync(path, bytes),
    (error, path) => checkLoadError(error, "Io", { path, size: bytes.length }),
  );
});

Deno.test("a module that is replaced by a rename while it is read is the one that was opened", () => {
  if (Deno.build.os === "windows") return; // an open file cannot be replaced there
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf", importerModule(["a"]));
  using module = new ModuleLoader().load(path, () => {
    Deno.renameSync(directory.file("new", addModule()), path);
    return 1n;
  });
  assertEquals(module.getFunction("seven", INT)!(), 7);
});
