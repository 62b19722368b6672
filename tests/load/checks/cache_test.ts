// Loads through a folder of records: when a record is used, and who cannot make one be used.
import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  integrityOf,
  LoadError,
  ModuleRegistry,
  type ModuleRegistryOptions,
  parseSmf,
} from "../../../mod.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { CheckCache } from "../../../src/load/checks/cache.ts";
import { recordOf } from "../../../src/load/checks/record.ts";
import { ANSWER, answering, nativeTest } from "../../support/modules.ts";
import { assertLoadError, importerModule, TemporaryDirectory, unhashed } from "../../support/testing.ts";

/** Where files have owners and modes. */
const POSIX = Deno.build.os !== "windows";
/** Whether this process may give files to other users. */
const IS_ROOT = POSIX && isRoot();

function isRoot(): boolean {
  using folder = new TemporaryDirectory();
  const path = folder.file("own");
  try {
    Deno.chownSync(path, 12_345, null);
    return true;
  } catch {
    return false;
  }
}

function test(name: string, work: () => void | Promise<void>, canRun = POSIX): void {
  if (canRun) nativeTest(name, work);
  else Deno.test({ name: `${name} (SKIPPED: needs owners of files)`, ignore: true, fn() {} });
}

/** A folder with a module, and one for records. */
class Scene extends TemporaryDirectory {
  readonly cache: string = this.join("cache");
  readonly module: string = this.join("m.smf");

  constructor(bytes: Uint8Array = answering(7)) {
    super();
    this.write(bytes);
  }

  /** Writes the module, whose times are those of an hour ago; its change time is now. */
  write(bytes: Uint8Array): void {
    Deno.writeFileSync(this.module, bytes);
    const before = new Date(Math.floor(Date.now() / 1000 - 3600) * 1000);
    Deno.utimeSync(this.module, before, before);
  }

  /** Loads in a registry of its own; says what the module answers, and whether a record was used. */
  load(
    options: ModuleRegistryOptions = {},
    { integrity, call = true }: { integrity?: string; call?: boolean } = {},
  ): { answer: number; known: boolean } {
    let known = false;
    using registry = new ModuleRegistry({
      cache: this.cache,
      ...options,
      onTrace: (event) => event.kind === "read" && (known = event.known),
    });
    const module = registry.load(this.module, integrity === undefined ? {} : { integrity });
    return { answer: call ? Number(module.getFunction("value", ANSWER)!()) : NaN, known };
  }

  /** Loads until there is a record: not before the file's times tell every later change. */
  async settle(): Promise<void> {
    await this.wait();
    assertEquals(this.load(), { answer: 7, known: false });
    assertEquals(this.load(), { answer: 7, known: true });
  }

  /** Waits until another change of the module has another change time, which counts seconds. */
  async wait(): Promise<void> {
    const { ctime } = Deno.statSync(this.module);
    const left = ctime!.getTime() + 1050 - Date.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  }

  /** The path of the only record. */
  get record(): string {
    const names = [...Deno.readDirSync(this.cache)].map(({ name }) => name);
    assertEquals(names.length, 1, names.join(" "));
    return `${this.cache}/${names[0]}`;
  }
}

test("the second load of a file uses the record of the first, whose folder and file nobody else can open", async () => {
  using scene = new Scene();
  await scene.settle();
  assertEquals(Deno.statSync(scene.cache).mode! & 0o777, 0o700);
  assertEquals(Deno.statSync(scene.record).mode! & 0o777, 0o600);
});

test("loadAsync and loads of several modules use and make records, too", async () => {
  using scene = new Scene();
  await scene.settle();
  const known: boolean[] = [];
  await using registry = new ModuleRegistry({
    cache: new URL(`file://${scene.cache}`),
    onTrace: (event) => event.kind === "read" && known.push(event.known),
  });
  await registry.loadAsync(scene.module);
  assertEquals(known, [true]);
});

test("a file that was just written has no record: a later change may have the same times", () => {
  using scene = new Scene();
  const file = parseSmf(answering(7));
  const record = recordOf(file, scanRelocations(file))!;
  const { dev, ino, size, mtime, ctime } = Deno.statSync(scene.module);
  const checks = new CheckCache(scene.cache, () => 4096).of(scene.module);
  for (const [age, isKept] of [[0, false], [1020, false], [1021, true]] as const) {
    const stamp = { info: { dev, ino, size, mtime, ctime }, time: ctime!.getTime() + age };
    checks.keep(stamp, record);
    assertEquals(checks.find(stamp), isKept ? record : undefined, `${age} ms`);
  }
});

test("a file changed in place is checked, also if its size and its modification time stay", async () => {
  using scene = new Scene();
  await scene.settle();
  const before = Deno.statSync(scene.module);
  Deno.writeFileSync(scene.module, answering(8));
  Deno.utimeSync(scene.module, before.atime!, before.mtime!);
  const after = Deno.statSync(scene.module);
  assertEquals([after.ino, after.size, after.mtime], [before.ino, before.size, before.mtime]);
  assertEquals(scene.load(), { answer: 8, known: false });
});

test("damage that the times tell of is found: every byte of a file in turn", async () => {
  using scene = new Scene();
  await scene.settle();
  const bytes = answering(7);
  const plain = new ModuleRegistry();
  for (let offset = 0; offset < bytes.length; offset++) {
    const damaged = bytes.slice();
    damaged[offset] ^= 0x55;
    scene.write(damaged);
    const outcome = (work: () => unknown): string => {
      try {
        work();
        return "loads";
      } catch (error) {
        return error instanceof LoadError ? `${error.kind}: ${error.message}` : String(error);
      }
    };
    const expected = outcome(() => plain.loadBytes(`damaged ${offset}`, damaged));
    // Not called: a file whose marks of a hash are damaged loads without a check of its code.
    const actual = outcome(() => scene.load({}, { call: false }));
    assertEquals(actual.split(" (")[0], expected.split(" (")[0], `byte ${offset}`);
  }
  plain[Symbol.dispose]();
});

test("a file that was replaced is checked, and so is one that is shorter", async () => {
  using scene = new Scene();
  await scene.settle();
  const next = scene.file("next", answering(9));
  Deno.renameSync(next, scene.module);
  assertEquals(scene.load(), { answer: 9, known: false });
  Deno.truncateSync(scene.module, answering(9).length - 1);
  assertLoadError(() => scene.load(), "InvalidFormat");
});

test("a damaged record is not used, and is replaced", async () => {
  using scene = new Scene();
  await scene.settle();
  const { record } = scene;
  const whole = Deno.readFileSync(record);
  const sizes = Array.from({ length: whole.length }, (_, size) => size);
  for (
    const damaged of [
      ...sizes.filter((size) => size % 16 === 0).map((size) => whole.slice(0, size)),
      new Uint8Array(5000),
    ]
  ) {
    Deno.writeFileSync(record, damaged);
    assertEquals(scene.load(), { answer: 7, known: false }, `${damaged.length} bytes`);
    assertEquals(Deno.readFileSync(record), whole);
  }
  for (let offset = 0; offset < whole.length; offset += 4) {
    const damaged = whole.slice();
    damaged[offset] ^= 1;
    Deno.writeFileSync(record, damaged);
    assertEquals(scene.load(), { answer: 7, known: false }, `byte ${offset}`);
  }
  assertEquals(scene.load(), { answer: 7, known: true });
});

test("a record of another file is not used", async () => {
  using scene = new Scene();
  using other = new Scene(answering(8));
  await scene.settle();
  await other.wait();
  other.load();
  Deno.copyFileSync(scene.record, other.record);
  assertEquals(other.load(), { answer: 8, known: false });
});

test("a record that is a symbolic link, a folder or open to others is not used", async () => {
  using scene = new Scene();
  await scene.settle();
  const { record } = scene;
  const elsewhere = scene.join("elsewhere");
  Deno.renameSync(record, elsewhere);
  Deno.symlinkSync(elsewhere, record);
  assertEquals(scene.load(), { answer: 7, known: false });
  assertEquals(scene.load(), { answer: 7, known: true }); // It was replaced, not written through.
  assert(Deno.lstatSync(record).isFile);

  for (const mode of [0o640, 0o604, 0o660, 0o610]) {
    Deno.chmodSync(record, mode);
    assertEquals(scene.load(), { answer: 7, known: false }, mode.toString(8));
    assertEquals(Deno.lstatSync(record).mode! & 0o777, 0o600);
  }

  Deno.removeSync(record);
  Deno.mkdirSync(record);
  assertEquals(scene.load(), { answer: 7, known: false });
  assertEquals([...Deno.readDirSync(scene.cache)].length, 1); // Nothing is left of the one that had no place.
});

test("a record of another user is not used", async () => {
  using scene = new Scene();
  await scene.settle();
  Deno.chownSync(scene.record, 12_345, null);
  assertEquals(scene.load(), { answer: 7, known: false });
}, IS_ROOT);

test("a folder that others can open, that is a link or that is not a folder is refused", () => {
  using scene = new Scene();
  for (const mode of [0o755, 0o770, 0o701, 0o720]) {
    Deno.mkdirSync(scene.cache);
    Deno.chmodSync(scene.cache, mode);
    const error = assertLoadError(() => scene.load(), "Io", { path: scene.cache });
    assert(error.message.includes("other users may open it"), error.message);
    assert(error.hint.includes("chmod 700"), error.hint);
    Deno.removeSync(scene.cache);
  }
  Deno.mkdirSync(scene.join("real"), { mode: 0o700 });
  Deno.symlinkSync(scene.join("real"), scene.cache);
  assert(assertLoadError(() => scene.load(), "Io").message.includes("it is a symbolic link"));
  Deno.removeSync(scene.cache);
  scene.file("cache");
  assert(assertLoadError(() => scene.load(), "Io").message.includes("it is not a folder"));
  Deno.removeSync(scene.cache);
  assertLoadError(() => scene.load({ cache: scene.join("no/cache") }), "Io", {
    path: scene.join("no/cache"),
  });
});

test("a folder of another user is refused", () => {
  using scene = new Scene();
  Deno.mkdirSync(scene.cache, { mode: 0o700 });
  Deno.chownSync(scene.cache, 12_345, null);
  assert(assertLoadError(() => scene.load(), "Io").message.includes("it belongs to another user"));
}, IS_ROOT);

test("integrity and trust check everything, and bytes have no record", async () => {
  using scene = new Scene();
  await scene.settle();
  const bytes = Deno.readFileSync(scene.module);
  assertEquals(scene.load({}, { integrity: await integrityOf(bytes) }), { answer: 7, known: false });
  const keys = ["ed25519-11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="];
  assertLoadError(() => scene.load({ trust: { keys } }), "Untrusted");
  using registry = new ModuleRegistry({
    cache: scene.join("unused"),
    onTrace: (event) => assertFalse(event.kind === "read" && event.known),
  });
  registry.loadBytes("m", bytes);
  assertFalse([...Deno.readDirSync(scene.path)].some(({ name }) => name === "unused"));
});

test("a file without a hash has no record", async () => {
  using scene = new Scene(unhashed(answering(7)));
  await scene.wait();
  for (let round = 0; round < 2; round++) assertEquals(scene.load(), { answer: 7, known: false });
  assertEquals([...Deno.readDirSync(scene.cache)], []);
});

test("a record does not allow an import, or resolve one", async () => {
  using scene = new Scene(importerModule(["a"]));
  await scene.wait();
  const outcome = (options: ModuleRegistryOptions): boolean | string => {
    try {
      return scene.load(options, { call: false }).known;
    } catch (error) {
      return (error as LoadError).kind;
    }
  };
  const imports = { a: 4096n };
  assertEquals([outcome({ imports }), outcome({ imports })], [false, true]);
  assertEquals(outcome({ imports, allowImports: ["b"] }), "ForbiddenImport");
  assertEquals(outcome({}), "UndefinedSymbol");
  assertEquals(outcome({ imports }), true);
});

test("a damaged module has no record", async () => {
  using scene = new Scene();
  await scene.settle();
  const bytes = answering(7);
  bytes[bytes.length - 1] ^= 1;
  scene.write(bytes);
  await scene.wait();
  assertLoadError(() => scene.load(), "InvalidFormat");
  assertLoadError(() => scene.load(), "InvalidFormat");
});

test("what a killed process has left is not read, and goes in time", async () => {
  using scene = new Scene();
  await scene.settle();
  const { record } = scene;
  Deno.renameSync(record, `${record}.new`);
  assertEquals(scene.load(), { answer: 7, known: false });
  assertEquals(scene.load(), { answer: 7, known: false });
  const longAgo = new Date(Date.now() - 120_000);
  Deno.utimeSync(`${record}.new`, longAgo, longAgo);
  assertEquals(scene.load(), { answer: 7, known: false }); // Removes it.
  assertEquals(scene.load(), { answer: 7, known: false });
  assertEquals(scene.load(), { answer: 7, known: true });
});
