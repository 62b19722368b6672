import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { toFileUrl } from "@std/path";
import { LoadError, type LoadErrorData, type LoadErrorKind } from "../../../src/errors/load_error.ts";
import { WINDOW } from "../../../src/load/file/read_ahead.ts";
import type { ReadRequest } from "../../../src/smf/reader.ts";
import { CHECK_UNCHANGED, type FileReading } from "../../../src/load/file/reading.ts";
import {
  MAX_FILE_SIZE,
  pathOf,
  readBytes,
  readFile,
  readFileAsync,
  realPath,
  realPathAsync,
  wholeFile,
} from "../../../src/load/file/source.ts";
import { assertLoadError, checkLoadError, descriptors, TemporaryDirectory } from "../../support/testing.ts";

const windows = Deno.build.os === "windows";

/** Steps that read pieces and return them, and note in `log` each step that they take. */
function pieces(
  requests: readonly (readonly [offset: number, length: number])[],
  between: (piece: number) => void = () => {},
  log: string[] = [],
): FileReading<number[][]> {
  return function* (size) {
    log.push(`size ${size}`);
    try {
      const read: Uint8Array[] = [];
      for (const [offset, length] of requests) {
        between(read.length);
        // Every other piece has a buffer of its own.
        read.push(
          yield read.length % 2 === 1 ? { offset, length, into: new Uint8Array(length) } : { offset, length },
        );
      }
      between(read.length);
      yield CHECK_UNCHANGED;
      log.push("whole");
      return read.map((piece) => [...piece]);
    } catch (error) {
      log.push("failed");
      throw error;
    }
  };
}

/** Runs the steps synchronously and asynchronously, which must end alike and leave nothing open. */
async function bothFail(
  path: string,
  steps: () => FileReading<unknown>,
  kind: LoadErrorKind,
  data: LoadErrorData = {},
): Promise<LoadError> {
  const before = descriptors();
  const error = assertLoadError(() => readFile(path, steps()), kind, data);
  const other = checkLoadError(await assertRejects(() => readFileAsync(path, steps())), kind, data);
  assertEquals(other.message, error.message);
  assertEquals(other.data, error.data);
  assertEquals(descriptors(), before);
  return error;
}

const DIGITS = Uint8Array.from({ length: 100 }, (_, index) => index);
const never = (): FileReading<never> => () => {
  throw new Error("the steps ran");
};

Deno.test("pieces are read in any order, again, next to each other and empty", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  const wanted = [[90, 10], [0, 2], [2, 3], [50, 0], [2, 1], [99, 1], [100, 0]] as const;
  const expected = wanted.map(([offset, length]) => [...DIGITS.subarray(offset, offset + length)]);
  const before = descriptors();
  assertEquals(readFile(path, pieces(wanted)), expected);
  assertEquals(await readFileAsync(path, pieces(wanted)), expected);
  assertEquals(readBytes(DIGITS, pieces(wanted)), expected);
  assertEquals(descriptors(), before);
});

Deno.test("the steps get the file's size", () => {
  using directory = new TemporaryDirectory();
  for (const size of [0, 1, 100]) {
    const log: string[] = [];
    readFile(directory.file("some", DIGITS.subarray(0, size)), pieces([], () => {}, log));
    readBytes(DIGITS.subarray(0, size), pieces([], () => {}, log));
    assertEquals(log, [`size ${size}`, "whole", `size ${size}`, "whole"]);
  }
});

Deno.test("a piece behind the end of the file is thrown into the steps as an error, with its offset", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  for (const [offset, length, end] of [[95, 6, 100], [100, 1, 100], [0, 101, 100]]) {
    const log: string[] = [];
    const facts = { offset: end, size: length };
    await bothFail(path, () => pieces([[offset, length]], () => {}, log), "Io", { ...facts, path });
    assertLoadError(() => readBytes(DIGITS, pieces([[offset, length]], () => {}, log)), "Io", facts);
    assertEquals(log, Array(3).fill(["size 100", "failed"]).flat());
  }
});

Deno.test("an error of the steps comes out unchanged, a LoadError with the file's path", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  await bothFail(
    path,
    () => () => {
      throw new LoadError("Unsupported", "Cannot x");
    },
    "Unsupported",
    { path },
  );
  for (const error of [new TypeError("t"), new RangeError("r"), "not even an error"]) {
    const steps: FileReading<never> = () => {
      throw error;
    };
    const caught = (work: () => unknown): unknown => {
      try {
        return work();
      } catch (thrown) {
        return thrown;
      }
    };
    assertStrictEquals(caught(() => readFile(path, steps)), error);
    assertStrictEquals(await readFileAsync(path, steps).catch((thrown) => thrown), error);
  }
});

Deno.test("an error of the user's code inside the steps is not taken for the file's", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  const mine = new Error("mine");
  const steps = pieces([[0, 1]], () => {
    throw mine;
  });
  assertStrictEquals(assertThrows(() => readFile(path, steps)), mine);
  assertStrictEquals(await assertRejects(() => readFileAsync(path, steps)), mine);
});

Deno.test("steps may catch a failed read and continue", () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  const result = readFile(path, function* () {
    try {
      yield { offset: 0, length: 1000 };
    } catch {
      return (yield { offset: 7, length: 1 })[0];
    }
  });
  assertEquals(result, 7);
});

Deno.test("a missing file is an Io error that names it", async () => {
  using directory = new TemporaryDirectory();
  for (const path of [directory.join("missing"), directory.join("missing/too"), ""]) {
    await bothFail(path, never, "Io", { path });
    assertLoadError(() => realPath(path), "Io", { path });
    checkLoadError(await assertRejects(() => realPathAsync(path)), "Io", { path });
  }
});

Deno.test("a path that no file can have is an Io error", async () => {
  await bothFail("a\0b", never, "Io", { path: "a\0b" });
  assertLoadError(() => realPath("a\0b"), "Io", { path: "a\0b" });
  await bothFail("a".repeat(100_000), never, "Io");
});

Deno.test("a directory is refused", async () => {
  using directory = new TemporaryDirectory();
  const error = await bothFail(directory.path, never, "Io", { path: directory.path });
  if (!windows) assert(error.message.includes("a directory"), error.message);
});

Deno.test({
  name: "a FIFO is refused without waiting for its other end",
  ignore: windows, // has none
  async fn() {
    using directory = new TemporaryDirectory();
    const path = directory.join("fifo");
    assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
    const error = await bothFail(path, never, "Io", { path });
    assert(error.message.includes("a FIFO"), error.message);
  },
});

Deno.test({
  name: "devices are refused, endless ones too",
  ignore: windows, // has none
  async fn() {
    for (const path of ["/dev/null", "/dev/zero", "/dev/urandom"]) {
      const error = await bothFail(path, never, "Io", { path });
      assert(error.message.includes("a device"), error.message);
    }
  },
});

Deno.test({
  name: "a socket is refused",
  ignore: windows, // has none
  async fn() {
    using directory = new TemporaryDirectory();
    const path = directory.join("socket");
    using _listener = Deno.listen({ transport: "unix", path });
    const error = await bothFail(path, never, "Io", { path });
    assert(error.message.includes("a socket"), error.message);
  },
});

Deno.test("a sparse file of 8 GiB is refused by its size", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("sparse");
  Deno.truncateSync(path, 8 * 2 ** 30);
  const error = await bothFail(path, never, "Io", {
    path,
    size: 8 * 2 ** 30,
    range: [0, MAX_FILE_SIZE + 1],
  });
  assert(error.hint.includes("split into several"), error.hint);
});

Deno.test("the size limit is exact", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("sparse");
  Deno.truncateSync(path, MAX_FILE_SIZE);
  assertEquals(readFile(path, pieces([[MAX_FILE_SIZE - 1, 1]])), [[0]]);
  Deno.truncateSync(path, MAX_FILE_SIZE + 1);
  await bothFail(path, never, "Io", { size: MAX_FILE_SIZE + 1 });
});

Deno.test("a link to a file is that file; a link to nothing is an Io error", async () => {
  if (windows) return; // links need a privilege there
  using directory = new TemporaryDirectory();
  const target = directory.file("digits", DIGITS);
  Deno.symlinkSync(target, directory.join("link"));
  Deno.symlinkSync(directory.join("nothing"), directory.join("dangling"));
  Deno.symlinkSync(directory.join("loop"), directory.join("loop"));
  assertEquals(readFile(directory.join("link"), pieces([[5, 1]])), [[5]]);
  assertEquals(realPath(directory.join("link")), realPath(target));
  assertEquals(await realPathAsync(directory.join("link")), realPath(target));
  await bothFail(directory.join("dangling"), never, "Io");
  await bothFail(directory.join("loop"), never, "Io");
});

Deno.test("a file that shrinks while it is read is an Io error", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const large = new Uint8Array(3 * WINDOW);
  const steps = () => {
    Deno.writeFileSync(path, large);
    return pieces([[0, 10], [WINDOW, 90]], (piece) => piece === 1 && Deno.truncateSync(path, WINDOW + 20));
  };
  Deno.writeFileSync(path, large);
  const error = await bothFail(path, steps, "Io", { path, offset: WINDOW + 20, size: 90 });
  assert(error.hint.includes("renaming a new one over it"), error.hint);
});

Deno.test("a file that shrinks when it has been read ahead is an Io error", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const steps = () => {
    Deno.writeFileSync(path, DIGITS);
    return pieces([[0, 10], [10, 90]], (piece) => piece === 1 && Deno.truncateSync(path, 20));
  };
  Deno.writeFileSync(path, DIGITS);
  await bothFail(path, steps, "Io", { path, size: 20 });
});

Deno.test("a file that shrinks behind the bytes that were read is an Io error", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const log: string[] = [];
  const steps = () => {
    Deno.writeFileSync(path, DIGITS);
    return pieces([[0, 10], [10, 20]], (piece) => piece === 2 && Deno.truncateSync(path, 90), log);
  };
  const error = await bothFail(path, steps, "Io", { path, size: 90 });
  assert(error.message.includes("the file changed"), error.message);
  assert(error.hint.includes("renaming a new one over it"), error.hint);
  assertEquals(log, ["size 100", "failed", "size 100", "failed"], "the steps can undo what they did");
});

Deno.test("a file that grows while it is read is an Io error, even if its time is unchanged", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const steps = () => {
    Deno.writeFileSync(path, DIGITS);
    Deno.utimeSync(path, 1000, 1000);
    return pieces([[0, 10], [10, 20]], (piece) => {
      if (piece !== 1) return;
      Deno.writeFileSync(path, DIGITS, { append: true });
      Deno.utimeSync(path, 1000, 1000);
    });
  };
  await bothFail(path, steps, "Io", { path, size: 200 });
});

Deno.test("a file that is overwritten while it is read is an Io error", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const steps = () => {
    Deno.writeFileSync(path, DIGITS);
    Deno.utimeSync(path, 1000, 1000);
    return pieces([[0, 10], [10, 20]], (piece) => {
      if (piece === 1) Deno.writeFileSync(path, DIGITS.toReversed());
    });
  };
  const error = await bothFail(path, steps, "Io", { path });
  assert(error.message.includes("the file changed"), error.message);
});

Deno.test("a file that is replaced by another one while it is read is read to its own end", async () => {
  if (windows) return; // an open file cannot be replaced there
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  const replace = (piece: number) => {
    if (piece !== 1) return;
    Deno.renameSync(directory.file("other", new Uint8Array(7)), path);
  };
  const wanted = [[0, 2], [98, 2]] as const;
  assertEquals(readFile(path, pieces(wanted, replace)), [[0, 1], [98, 99]]);
  Deno.writeFileSync(path, DIGITS);
  assertEquals(await readFileAsync(path, pieces(wanted, replace)), [[0, 1], [98, 99]]);
});

Deno.test("a file that takes the place of another before that is open is the one that is read", async () => {
  if (windows) return; // it does not number files
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const log: string[] = [];
  const race = (run: (path: string, steps: FileReading<number[][]>) => unknown) => {
    Deno.writeFileSync(path, DIGITS);
    return run(path, pieces([[0, 2], [5, 2]], () => {}, log));
  };
  const replace = () => Deno.renameSync(directory.file("other", DIGITS.subarray(50)), path);
  const { openSync, open } = Deno;
  try {
    Deno.openSync = (...parameters) => (replace(), openSync(...parameters));
    Deno.open = (...parameters) => (replace(), open(...parameters));
    assertEquals(race(readFile), [[50, 51], [55, 56]]);
    assertEquals(await race(readFileAsync), [[50, 51], [55, 56]]);
  } finally {
    Object.assign(Deno, { openSync, open });
  }
  assertEquals(log, Array(2).fill(["size 50", "whole"]).flat());
});

Deno.test("a file that takes another's place and its inode number is the one that is read", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const race = (run: (path: string, steps: FileReading<number[][]>) => unknown) => {
    Deno.writeFileSync(path, DIGITS);
    return run(path, pieces([[0, 2], [5, 2]]));
  };
  const replace = () => {
    // Most file systems give the number of a file that was deleted to the next one.
    Deno.removeSync(path);
    Deno.writeFileSync(path, DIGITS.subarray(50));
  };
  const { openSync, open } = Deno;
  try {
    Deno.openSync = (...parameters) => (replace(), openSync(...parameters));
    Deno.open = (...parameters) => (replace(), open(...parameters));
    assertEquals(race(readFile), [[50, 51], [55, 56]]);
    assertEquals(await race(readFileAsync), [[50, 51], [55, 56]]);
  } finally {
    Object.assign(Deno, { openSync, open });
  }
});

Deno.test("the kind of a file that takes the place of another before that is open is checked too", async () => {
  if (windows) return;
  using directory = new TemporaryDirectory();
  const path = directory.join("digits");
  const { openSync, open } = Deno;
  const replace = () => {
    Deno.removeSync(path, { recursive: true });
    Deno.mkdirSync(path);
  };
  const steps = () => {
    Deno.removeSync(path, { recursive: true });
    Deno.writeFileSync(path, DIGITS);
    return pieces([[0, 2]]);
  };
  Deno.writeFileSync(path, DIGITS);
  try {
    Deno.openSync = (...parameters) => (replace(), openSync(...parameters));
    Deno.open = (...parameters) => (replace(), open(...parameters));
    const error = await bothFail(path, steps, "Io", { path });
    assert(error.message.includes("a directory"), error.message);
  } finally {
    Object.assign(Deno, { openSync, open });
  }
});

Deno.test("a buffer for the whole file that cannot be had is OutOfMemory, with a way around it", () => {
  const error = assertLoadError(() => wholeFile(2 ** 52).next(), "OutOfMemory", { size: 2 ** 52 });
  assert(error.hint.includes("without `integrity`"), error.hint);
});

Deno.test("the steps get copies of bytes in memory", () => {
  for (const size of [100, 3 * WINDOW]) {
    const bytes = new Uint8Array(size).fill(1);
    const steps: FileReading<Uint8Array> = function* () {
      return yield { offset: 10, length: 10 };
    };
    const given = readBytes(bytes, steps);
    bytes.fill(2);
    assertEquals([...given], Array(10).fill(1));
  }
});

Deno.test("reading asynchronously lets other work continue", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("large", new Uint8Array(3 * WINDOW));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const many = Array.from({ length: 2000 }, (_, index) => [index % 2 * 2 * WINDOW, 1] as const);
  await readFileAsync(path, pieces(many));
  clearInterval(timer);
  assert(turns > 0, "the event loop stood still");
});

Deno.test("a string is a path unchanged; a file: URL becomes a path", () => {
  for (const path of ["a.smf", "./a b.smf", "", "file:///a.smf"]) assertEquals(pathOf(path), path);
  using directory = new TemporaryDirectory();
  const path = directory.join("sp ce%20ü#?.smf");
  assertEquals(pathOf(toFileUrl(path)), path);
});

Deno.test("other URLs are refused by their protocol", () => {
  for (const href of ["https://example.org/a.smf", "data:,x", "blob:null/1", "npm:x"]) {
    const error = assertLoadError(() => pathOf(new URL(href)), "Io", { path: href });
    assert(error.message.includes(new URL(href).protocol), error.message);
    assert(error.hint.includes("loadBytes"), error.hint);
  }
});

Deno.test("a file: URL of another host is refused where paths cannot name hosts", () => {
  if (windows) return; // there it is a path on that host
  const href = "file://elsewhere/a.smf";
  const error = assertLoadError(() => pathOf(new URL(href)), "Io", { path: href });
  assert(error.hint.includes("on this machine"), error.hint);
});

Deno.test("an error for a missing permission names the flag", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  const source = new URL("../../../src/load/file/source.ts", import.meta.url).href;
  const program = `
    import { readFile, readFileAsync, realPath, realPathAsync } from ${JSON.stringify(source)};
    const path = ${JSON.stringify(path)};
    const steps = function* () { return 0; };
    for (const work of [() => readFile(path, steps), () => readFileAsync(path, steps),
      () => realPath(path), () => realPathAsync(path)]) {
      try { await work(); console.log("read"); } catch (error) { console.log(error.kind, error.message); }
    }`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", "--config=deno.json", program],
    cwd: new URL("../../..", import.meta.url),
  }).output();
  // deno eval has every permission: this is the control of the test below.
  assertEquals(new TextDecoder().decode(stdout), "read\n".repeat(4), new TextDecoder().decode(stderr));
  const file = directory.file("program.ts", new TextEncoder().encode(program));
  const denied = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--config", "deno.json", file],
    cwd: new URL("../../..", import.meta.url),
  }).output();
  const lines = new TextDecoder().decode(denied.stdout).trim().split("\n");
  assertEquals(lines.length, 4, new TextDecoder().decode(denied.stderr));
  for (const line of lines) {
    assert(line.startsWith("PermissionDenied "), line);
    assert(line.includes(`--allow-read=${path}`), line);
  }
});

Deno.test("reads go straight into the buffers of the requests", () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("digits", DIGITS);
  const whole = new Uint8Array(10).fill(0xff);
  const steps: FileReading<void> = function* (): Generator<ReadRequest, void, Uint8Array> {
    yield { offset: 3, length: 2, into: whole.subarray(4, 6) };
  };
  for (const run of [() => readFile(path, steps), () => readBytes(DIGITS, steps)]) {
    whole.fill(0xff);
    run();
    assertEquals([...whole], [255, 255, 255, 255, 3, 4, 255, 255, 255, 255]);
  }
});
