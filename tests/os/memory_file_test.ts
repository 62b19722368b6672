import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ModuleLoader } from "../../mod.ts";
import { MemoryFiles } from "../../src/os/memory_file.ts";
import { ELF_MACHINE, writeElfStub } from "../../src/call/stub/elf_library.ts";
import {
  ANSWER,
  answering,
  descriptors,
  linuxTest,
  maps,
  runChild,
  sample,
  stubMappings,
} from "../support/modules.ts";

linuxTest("a file in memory holds the bytes while it is in use and is gone afterwards", () => {
  using files = new MemoryFiles();
  const before = descriptors();
  const bytes = crypto.getRandomValues(new Uint8Array(10_000));
  let kept = "";
  const seen = files.withFile(bytes, (path) => {
    kept = path;
    return Deno.readFileSync(path);
  });
  assertEquals(seen, bytes);
  assertEquals(descriptors(), before);
  assertThrows(() => Deno.readFileSync(kept));
});

linuxTest("a file in memory is gone when its use throws", () => {
  using files = new MemoryFiles();
  const before = descriptors();
  assertThrows(
    () =>
      files.withFile(new Uint8Array(1), () => {
        throw new RangeError("from the test");
      }),
    RangeError,
  );
  assertEquals(descriptors(), before);
});

linuxTest("no path repeats, though the file number does", () => {
  using files = new MemoryFiles();
  const paths = new Set<string>();
  const numbers = new Set<string>();
  for (let round = 0; round < 1000; round++) {
    const path = files.withFile(new Uint8Array(1), (path) => path);
    paths.add(path);
    numbers.add(path.match(/\d+$/)![0]);
  }
  assertEquals([paths.size, numbers.size], [1000, 1]);
  for (const path of paths) assert(path.length < 256, `${path.length} letters`);
});

linuxTest("libraries that were opened in turn by one file number are told apart", () => {
  const modules = Array.from({ length: 50 }, (_, index) => new ModuleLoader().loadBytes(answering(index)));
  const functions = modules.map((module) => module.getFunction("value", ANSWER, { callPath: "fast" })!);
  assertEquals(functions.map((call) => call()), modules.map((_, index) => index));
  assertEquals(stubMappings() >= 50, true);
  for (const module of modules) module.close();
});

linuxTest("each stub leads to its own module after the previous one was closed", () => {
  for (let index = 0; index < 200; index++) {
    using module = new ModuleLoader().loadBytes(answering(index));
    assertEquals(module.getFunction("value", ANSWER, { callPath: "fast" })!(), index);
  }
});

linuxTest("stubs leave no file, no descriptor and no mapping behind", () => {
  const loader = new ModuleLoader();
  const round = () => {
    using module = loader.loadBytes(sample());
    module.getFunction("nothing", { parameters: [], result: "void" }, { callPath: "fast" })!();
    assert(stubMappings() > before);
  };
  const before = stubMappings();
  round();
  const open = descriptors();
  for (let index = 0; index < 20; index++) round();
  assertEquals(stubMappings(), before);
  assertEquals(descriptors(), open);
});

linuxTest("while a module is bound, its stub needs a mapping but no descriptor", () => {
  using other = new ModuleLoader().loadBytes(answering(1));
  other.getFunction("value", ANSWER, { callPath: "fast" })!();
  const open = descriptors();
  using module = new ModuleLoader().loadBytes(answering(2));
  module.getFunction("value", ANSWER, { callPath: "fast" })!();
  assertEquals(descriptors(), open);
});

linuxTest("a stub's mapping is never executable", () => {
  // The library of registered destructors is a file in memory too; it has code, and stays once it is open.
  const before = new Set(maps());
  using module = new ModuleLoader().loadBytes(answering(2));
  module.getFunction("value", ANSWER, { callPath: "fast" })!();
  const own = maps().filter((line) => line.includes("memfd:smf-stub") && !before.has(line));
  assert(own.length > 0);
  for (const line of own) assert(!line.split(" ")[1].includes("x"), line);
});

/** The mappings that are writable and executable, as stacks of threads would be. */
const executableWritable = () => maps().filter((line) => line.split(" ")[1].startsWith("rwx"));
const stackProtection = () => maps().find((line) => line.endsWith("[stack]"))?.split(" ")[1];

linuxTest("binding makes no stack executable", () => {
  const before = executableWritable().length;
  assertEquals(stackProtection(), "rw-p");
  using module = new ModuleLoader().loadBytes(sample());
  module.getFunction("nothing", { parameters: [], result: "void" }, { callPath: "fast" })!();
  assertEquals(stackProtection(), "rw-p");
  assertEquals(executableWritable().length, before);
});

linuxTest(
  "in a process without a compiler no page is writable and executable, also after binding",
  async () => {
    // V8 has such pages of its own as long as it compiles.
    const result = await runChild(new URL("./stack_child.ts", import.meta.url), { v8Flags: "--jitless" });
    assertEquals(result.code, 0, result.stderr);
    assertEquals(JSON.parse(result.stdout), { before: [], after: [], stack: "rw-p", answer: 4 });
  },
);

linuxTest("a stub without PT_GNU_STACK is noticed, so the test before can fail", async () => {
  const result = await runChild(new URL("./stack_child.ts", import.meta.url), {
    v8Flags: "--jitless",
    args: ["spoilt"],
  });
  // glibc before 2.41 opens it and makes stacks executable, later ones refuse it.
  if (result.code !== 0) return assertStringIncludes(result.stderr, "executable stack");
  assertEquals(JSON.parse(result.stdout).stack, "rwxp");
});

Deno.test({
  name: "the C library refuses a stub of another processor",
  ignore: Deno.build.os !== "linux",
  fn() {
    using files = new MemoryFiles();
    const other = Deno.build.arch === "x86_64" ? ELF_MACHINE.aarch64 : ELF_MACHINE.x86_64;
    const bytes = writeElfStub(other, [1n]);
    assertThrows(() =>
      files.withFile(bytes, (path) => Deno.dlopen(path, { f0: { parameters: [], result: "void" } }))
    );
  },
});

/** Copies the package: a program that depends on two versions has two copies. */
function copyPackage(): string {
  const root = new URL("../../", import.meta.url);
  const copy = Deno.makeTempDirSync();
  const walk = (from: URL, to: string) => {
    Deno.mkdirSync(to, { recursive: true });
    for (const { name, isDirectory } of Deno.readDirSync(from)) {
      if (isDirectory) walk(new URL(`${name}/`, from), `${to}/${name}`);
      else Deno.copyFileSync(new URL(name, from), `${to}/${name}`);
    }
  };
  walk(new URL("src/", root), `${copy}/src`);
  Deno.copyFileSync(new URL("mod.ts", root), `${copy}/mod.ts`);
  return copy;
}

async function inWorker(mod: string, first: number, count: number): Promise<number[]> {
  const worker = new Worker(new URL("./copy_worker.ts", import.meta.url), { type: "module" });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage({ package: mod, first, count });
    return await promise;
  } finally {
    worker.terminate();
  }
}

const expected = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => [first + index, 1]).flat();

linuxTest("isolates of one process, each with its own stubs, are told apart", async () => {
  const mod = new URL("../../mod.ts", import.meta.url).href;
  const modules = Array.from({ length: 20 }, (_, index) => new ModuleLoader().loadBytes(answering(index)));
  const functions = modules.map((module) => module.getFunction("value", ANSWER, { callPath: "fast" })!);
  const results = await Promise.all([inWorker(mod, 1000, 40), inWorker(mod, 2000, 40)]);
  assertEquals(results, [expected(1000, 40), expected(2000, 40)]);
  assertEquals(functions.map((call) => call()), modules.map((_, index) => index));
  for (const module of modules) module.close();
});

linuxTest("two copies of the package in one isolate are told apart", async () => {
  // A query in the import would make a second instance of mod.ts only, so a child process imports a whole
  // copy, with the same import map.
  const copy = copyPackage();
  try {
    const result = await runChild(new URL("./copies_child.ts", import.meta.url), { args: [copy] });
    assertEquals(result.code, 0, result.stderr);
    assertEquals(JSON.parse(result.stdout), { distinct: true, wrong: 0, fast: 60 });
  } finally {
    Deno.removeSync(copy, { recursive: true });
  }
});
