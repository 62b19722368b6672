/**
 * Row 32: a file shrinks, grows, is overwritten, replaced or deleted, or cannot
 * be read, at every operation on it. The load gets one whole file or fails, and
 * modules that were loaded before go on working.
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { integrityOf, type LoadedModule, LoadError, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { ANSWER, descriptors } from "../support/modules.ts";
import { TemporaryDirectory, unhashed, WatchedAllocator } from "../support/testing.ts";
import { version } from "../support/versions.ts";

/** A module too large for one read. */
function module(value: number): Uint8Array<ArrayBuffer> {
  return version({
    functions: { value, again: value },
    data: { total: [BigInt(value)], where: ["total"], filler: Array<bigint>(5000).fill(BigInt(value)) },
    init: [],
  });
}

const [OLD, NEW] = [module(1), module(2)];

/** Runs `interfere` before the n-th file operation of `Deno`. */
class Interference implements Disposable {
  #count = 0;
  #undo: (() => void)[] = [];

  constructor(readonly n: number, readonly interfere: () => void) {
    const files: Deno.FsFile[] = [];
    const watch = (file: Deno.FsFile): Deno.FsFile => {
      files.push(file);
      for (const name of ["statSync", "stat", "seekSync", "seek", "readSync", "read"] as const) {
        this.#wrap(file as unknown as Functions, name);
      }
      return file;
    };
    const functions = Deno as unknown as Functions;
    for (const name of ["statSync", "stat", "realPathSync", "realPath"]) this.#wrap(functions, name);
    this.#wrap(functions, "openSync", (file) => watch(file as Deno.FsFile));
    this.#wrap(functions, "open", async (file) => watch(await (file as Promise<Deno.FsFile>)));
  }

  /** Whether there was an n-th operation. */
  get happened(): boolean {
    return this.#count >= this.n;
  }

  #wrap(object: Functions, name: string, then: (result: unknown) => unknown = (result) => result): void {
    const original = object[name];
    object[name] = (...parameters: unknown[]) => {
      if (++this.#count === this.n) {
        const isSync = name.endsWith("Sync");
        try {
          this.interfere();
        } catch (error) {
          if (isSync) throw error;
          return Promise.reject(error);
        }
      }
      return then(original.apply(object, parameters));
    };
    this.#undo.push(() => object[name] = original);
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo) undo();
  }
}

type Functions = Record<string, (...parameters: unknown[]) => unknown>;

/** The original operations: {@linkcode Interference} replaces those of `Deno`. */
const { writeFileSync, truncateSync, renameSync, removeSync, utimeSync } = Deno;

/** Changes of the file, each by the sentence that describes it. */
const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  "is emptied": (path) => truncateSync(path, 0),
  "loses its second half": (path) => truncateSync(path, OLD.length >> 1),
  "loses its last byte": (path) => truncateSync(path, OLD.length - 1),
  "grows": (path) => writeFileSync(path, new Uint8Array(100), { append: true }),
  "is overwritten with another module": (path) => writeFileSync(path, NEW),
  "is overwritten with zeros": (path) => writeFileSync(path, new Uint8Array(OLD.length)),
  ...(Deno.build.os !== "windows" && {
    "is replaced by another module": (path: string) => {
      writeFileSync(`${path}.new`, NEW);
      renameSync(`${path}.new`, path);
    },
    "is deleted": (path: string) => removeSync(path),
    "becomes a directory": (path: string) => {
      removeSync(path);
      Deno.mkdirSync(path);
    },
  }),
  "gives an input/output error": () => {
    throw new Error("Input/output error (os error 5)");
  },
  "is busy": () => {
    throw new Deno.errors.Busy("Device or resource busy (os error 16)");
  },
  "is forbidden": () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  },
  "needs more descriptors than there are": () => {
    throw new Error("Too many open files (os error 24)");
  },
};

type Load = (path: string, owners: Owners) => LoadedModule | Promise<LoadedModule>;

interface Owners {
  readonly loader: ModuleLoader;
  readonly registry: ModuleRegistry;
}

const LOADS: Readonly<Record<string, Load>> = {
  "load": (path, { loader }) => loader.load(path),
  "loadAsync": (path, { loader }) => loader.loadAsync(path),
  "reload": (path, { registry }) => registry.reload(path),
  "loadAsync of a registry": (path, { registry }) => registry.loadAsync(path),
  "load with integrity": (path, { loader }) =>
    loader.load(path, undefined, { integrity: `${integrityOf(OLD)} ${integrityOf(NEW)}` }),
};

/** Far more operations than a load makes on one file. */
const MAX_OPERATIONS = 100;

/** One load with one change; answers whether there was an n-th operation. */
async function interfered(load: Load, bytes: Uint8Array, n: number, change: (path: string) => void) {
  using directory = new TemporaryDirectory();
  const write = (path: string): string => {
    writeFileSync(path, bytes);
    // An older modification time, so that later writes are noticed.
    utimeSync(path, 1000, 1000);
    return path;
  };
  const path = write(directory.join("m.smf"));
  const allocator = new WatchedAllocator();
  const loader = new ModuleLoader({ allocator });
  using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
  const isReload = load === LOADS.reload;
  using live = isReload ? registry.open(path, { value: ANSWER }) : undefined;
  const [before, open] = [allocator.live.size, descriptors()];
  let loaded: LoadedModule | undefined;
  let error: unknown;
  const interference = new Interference(n, () => change(path));
  try {
    loaded = await load(path, { loader, registry });
  } catch (thrown) {
    error = thrown;
  }
  interference[Symbol.dispose]();
  if (loaded === undefined) {
    assertInstanceOf(error, LoadError, error instanceof Error ? error.stack : String(error));
    assert(["Io", "InvalidFormat", "IntegrityMismatch"].includes(error.kind), error.message);
    assertEquals(error.data.path, path, error.message);
    assertEquals(allocator.live.size, before);
    assertEquals(descriptors(), open);
    if (live !== undefined) assertEquals(live.symbols.value(), 1);
    // The next attempt with a whole file succeeds.
    try {
      removeSync(path);
    } catch {
      // The change deleted it.
    }
    write(path);
    loaded = await load(path, { loader, registry });
  }
  const values = ["value", "again"].map((name) => loaded.getFunction(name, ANSWER)!());
  assert(values[0] === 1 || values[0] === 2, `${values}`);
  assertEquals(values[0], values[1]);
  if (live !== undefined) assertEquals(live.symbols.value(), values[0]);
  loaded.close();
  return interference.happened;
}

for (const [how, load] of Object.entries(LOADS)) {
  for (const [what, change] of Object.entries(CHANGES)) {
    Deno.test(`${how}: a file that ${what}, at every operation on it`, async () => {
      for (const bytes of [OLD, unhashed(OLD)]) {
        // Its bytes do not match the integrity that is asked for.
        if (how === "load with integrity" && bytes !== OLD) continue;
        let n = 1;
        while (await interfered(load, bytes, n, change)) assert(++n < MAX_OPERATIONS);
        // A file with integrity is read at once.
        assert(n > (how === "load with integrity" ? 4 : 10), `an operation is not watched: ${n}`);
      }
    });
  }
}

Deno.test("a file that gives one byte at a time is read whole", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("m.smf", OLD);
  const { openSync, open } = Deno;
  const slow = (file: Deno.FsFile): Deno.FsFile => {
    const { readSync, read } = file;
    file.readSync = (into) => readSync.call(file, into.subarray(0, 1));
    file.read = (into) => read.call(file, into.subarray(0, 1));
    return file;
  };
  try {
    Deno.openSync = (...parameters) => slow(openSync(...parameters));
    Deno.open = async (...parameters) => slow(await open(...parameters));
    using one = new ModuleLoader().load(path);
    using two = await new ModuleLoader().loadAsync(path);
    assertEquals([one, two].map((module) => module.getFunction("again", ANSWER)!()), [1, 1]);
  } finally {
    Object.assign(Deno, { openSync, open });
  }
});
