// Every system checks the bytes of PE stubs; only Windows opens them.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleLoader } from "../../../mod.ts";
import { stubSymbolName } from "../../../src/call/stub/elf_library.ts";
import { StubFolder } from "../../../src/call/stub/folder.ts";
import { holdStubMaker, stubMaker } from "../../../src/call/stub/library.ts";
import { writePeStub } from "../../../src/call/stub/pe.ts";
import { addModule, TemporaryDirectory } from "../../support/testing.ts";
import { makeOpenFolder } from "../../support/security.ts";
import { PeReader } from "../../support/pe_reader.ts";

const NOT_WINDOWS = Deno.build.os !== "windows";
const EXECUTE = 0x2000_0000;
const READ = 0x4000_0000;
const WRITE = 0x8000_0000;

const addressesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => 0x7ff8_1234_0000n + BigInt(index) * 0x1_0001n);
const namesOf = (count: number) => Array.from({ length: count }, (_, index) => stubSymbolName(index));
const stub = (count: number) => writePeStub("stub.dll", namesOf(count), addressesOf(count));

for (const count of [1, 2, 11, 64, 65, 502, 5000]) {
  Deno.test(`a PE stub of ${count} exports: each is found by its name and jumps to its address`, () => {
    const pe = new PeReader(stub(count));
    addressesOf(count).forEach((address, index) => {
      const thunk = pe.find(stubSymbolName(index));
      assert(thunk !== undefined);
      assertEquals(pe.sectionAt(thunk)?.name, ".text");
      assertEquals(pe.jumpTarget(thunk), address);
    });
    assertEquals(pe.find("missing"), undefined);
    const names = pe.exportNames();
    assertEquals(names.length, count);
    assertEquals(names, [...names].sort());
  });
}

Deno.test("a PE stub is a DLL for x86-64 that can be loaded anywhere and runs no code when it is loaded", () => {
  const pe = new PeReader(stub(3));
  assertEquals(pe.machine, 0x8664);
  assertEquals(pe.characteristics & 0x2002, 0x2002, "an executable image, a library");
  assertEquals(pe.characteristics & 0x0001, 0, "relocations are not stripped");
  assertEquals(pe.entryPoint, 0);
  assertEquals(pe.dllCharacteristics & 0x160, 0x160, "random base, whole address space, no code in data");
  const [at, size] = pe.directories[5];
  assertEquals(size, pe.image.getUint32(at + 4, true), "one block of relocations");
  for (let entry = 8; entry < size; entry += 2) {
    assertEquals(pe.image.getUint16(at + entry, true) >> 12, 0, "whose entries are padding");
  }
});

Deno.test("a PE stub has one executable section; nothing is writable, and sections share no page", () => {
  for (const count of [1, 511, 512, 513, 5000]) {
    const bytes = stub(count);
    const pe = new PeReader(bytes);
    assertEquals(pe.sections.map(({ characteristics }) => characteristics & (READ | WRITE | EXECUTE)), [
      READ | EXECUTE,
      READ,
    ]);
    let file = pe.headersSize;
    let memory = pe.headersSize;
    for (const section of pe.sections) {
      assertEquals(section.virtualAddress % pe.sectionAlignment, 0);
      assertEquals([section.rawPointer % pe.fileAlignment, section.rawSize % pe.fileAlignment], [0, 0]);
      assertEquals(section.rawPointer, file);
      assert(section.virtualAddress >= memory && section.virtualAddress - memory < pe.sectionAlignment);
      assert(section.virtualSize <= section.rawSize);
      file += section.rawSize;
      memory = section.virtualAddress + section.virtualSize;
    }
    assertEquals(file, bytes.length);
    assertEquals(pe.imageSize % pe.sectionAlignment, 0);
    assert(pe.imageSize >= memory && pe.imageSize - memory < pe.sectionAlignment);
  }
});

Deno.test("a PE stub's export tables lie in its second section and do not overlap", () => {
  for (const count of [1, 2, 3, 500]) {
    const pe = new PeReader(stub(count));
    const [directory, size] = pe.directories[0];
    const field = (offset: number) => pe.image.getUint32(directory + offset, true);
    assertEquals([field(16), field(20), field(24)], [1, count, count]);
    assertEquals(pe.text(field(12)), "stub.dll");
    const ranges = [
      [pe.sections[1].virtualAddress, pe.sections[1].virtualAddress + 8 * count],
      [directory, directory + 40],
      [field(28), field(28) + 4 * count],
      [field(32), field(32) + 4 * count],
      [field(36), field(36) + 2 * count],
      [field(12), field(12) + 9],
      pe.directories[5].map((value, index) => index === 0 ? value : value + pe.directories[5][0]),
    ];
    ranges.forEach(([start, end], index) => {
      assert(end <= pe.sections[1].virtualAddress + pe.sections[1].virtualSize);
      if (index > 0) assert(start >= ranges[index - 1][1], `range ${index}`);
    });
    // Windows would take an export inside the directory's range for a forwarder to another library.
    for (const name of pe.exportNames()) {
      const at = pe.find(name)!;
      assert(at < directory || at >= directory + size);
    }
  }
});

const TICKS = { parameters: [], result: "u32" } as const;

function addressInKernel32(name: string): bigint {
  const kernel32 = Deno.dlopen("kernel32.dll", {
    // HMODULE GetModuleHandleW(LPCWSTR lpModuleName); NULL
    GetModuleHandleW: { parameters: ["buffer"], result: "pointer" },
    // FARPROC GetProcAddress(HMODULE hModule, LPCSTR lpProcName); NULL
    GetProcAddress: { parameters: ["pointer", "buffer"], result: "usize" },
  });
  try {
    const module = kernel32.symbols.GetModuleHandleW(
      Uint16Array.from("kernel32.dll\0", (letter) => letter.charCodeAt(0)),
    );
    return kernel32.symbols.GetProcAddress(module, new TextEncoder().encode(`${name}\0`));
  } finally {
    kernel32.close();
  }
}

/** Calls a module in a child process, and returns what it says of the path that its calls took. */
async function runChild(file: string, flags: readonly string[], env: Record<string, string> = {}) {
  const child = new URL("./pe_child.ts", import.meta.url).href;
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--allow-ffi", ...flags, child, file],
    env: { NO_COLOR: "1", ...env },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The files of this process's stub libraries. */
function ownFiles(): string[] {
  using folder = new StubFolder();
  try {
    return [...Deno.readDirSync(`${folder.parent}\\${Deno.pid}`)].map(({ name }) => name);
  } catch {
    return [];
  }
}

Deno.test({
  name: "a PE stub reaches a system function, and its file is deleted when it is closed",
  ignore: NOT_WINDOWS,
  fn() {
    using _hold = holdStubMaker();
    const maker = stubMaker();
    assert(typeof maker === "object");
    const before = ownFiles();
    const library = maker.open([
      { address: addressInKernel32("GetCurrentProcessId"), definition: TICKS },
      { address: addressInKernel32("GetTickCount"), definition: TICKS },
    ]);
    assertEquals(library.calls[0](), Deno.pid);
    assert(Number(library.calls[1]()) > 0);
    assertEquals(ownFiles().length, before.length + 1);
    library[Symbol.dispose]();
    assertEquals(ownFiles(), before);
  },
});

Deno.test({
  name: "500 functions and 100 libraries open at once",
  ignore: NOT_WINDOWS,
  fn() {
    using _hold = holdStubMaker();
    const maker = stubMaker();
    assert(typeof maker === "object");
    const address = addressInKernel32("GetCurrentProcessId");
    const before = ownFiles();
    const many = maker.open(Array.from({ length: 500 }, () => ({ address, definition: TICKS })));
    const libraries = Array.from({ length: 100 }, () => maker.open([{ address, definition: TICKS }]));
    for (const call of many.calls) assertEquals(call(), Deno.pid);
    for (const { calls } of libraries) assertEquals(calls[0](), Deno.pid);
    for (const library of [many, ...libraries]) library[Symbol.dispose]();
    assertEquals(ownFiles(), before);
  },
});

Deno.test({
  name: "modules take the fast path on Windows, and leave no file behind",
  ignore: NOT_WINDOWS,
  fn() {
    const before = ownFiles();
    {
      using module = new ModuleLoader().loadBytes(addModule());
      const add = module.getFunction("add", { parameters: ["i64", "i64"], result: "i64" });
      assertEquals(add?.(40n, 2n), 42n);
      assertEquals(module.callPaths(), [{ name: "add", path: "fast" }]);
      assertEquals(module.fallbackReason, undefined);
    }
    assertEquals(ownFiles(), before);
  },
});

Deno.test({
  name: "files of an ended process are deleted at the next start, those of a running one are kept",
  ignore: NOT_WINDOWS,
  async fn() {
    using folder = new StubFolder();
    const child = new Deno.Command(Deno.execPath(), { args: ["eval", "Deno.exit(0)"] }).spawn();
    const { pid } = child;
    await child.status;
    const running = new Deno.Command(Deno.execPath(), {
      args: ["eval", "await new Response(Deno.stdin.readable).text()"],
      stdin: "piped",
    }).spawn();
    try {
      for (const id of [pid, running.pid]) {
        Deno.mkdirSync(`${folder.parent}\\${id}`, { recursive: true });
        Deno.writeTextFileSync(`${folder.parent}\\${id}\\left.dll`, "left");
      }
      using _next = new StubFolder();
      const left = [...Deno.readDirSync(folder.parent)].map(({ name }) => name);
      assert(!left.includes(`${pid}`), "the ended process's folder is deleted");
      assert(left.includes(`${running.pid}`), "the running process's folder is kept");
    } finally {
      await running.stdin.close();
      await running.status;
    }
    using _last = new StubFolder();
    const left = [...Deno.readDirSync(folder.parent)].map(({ name }) => name);
    assert(!left.includes(`${running.pid}`));
  },
});

Deno.test({
  name: "without permission for the folder, calls go by pointer, and the reason names the folder",
  ignore: NOT_WINDOWS,
  async fn() {
    using directory = new TemporaryDirectory();
    const file = directory.file("add.smf", addModule());
    using folder = new StubFolder();
    const denied = await runChild(file, [`--allow-read=${file}`]);
    assertEquals([denied.result, denied.path], [42, "pointer"]);
    assertStringIncludes(denied.reason, folder.parent);
    const allowed = await runChild(file, [
      `--allow-read=${file},${folder.parent}`,
      `--allow-write=${folder.parent}`,
    ]);
    assertEquals([allowed.result, allowed.path, allowed.reason], [42, "fast", undefined]);
    assertEquals([denied.asked, allowed.asked], ["PermissionDenied", "fast"]);
  },
});

Deno.test({
  name:
    "a folder that everyone can change is not used and nothing in it is deleted; calls go by pointer and say why",
  ignore: NOT_WINDOWS,
  async fn() {
    using directory = new TemporaryDirectory();
    const file = directory.file("add.smf", addModule());
    const folder = directory.join("simple-loader");
    const ended = new Deno.Command(Deno.execPath(), { args: ["eval", "Deno.exit(0)"] }).spawn();
    await ended.status;
    makeOpenFolder(folder);
    Deno.mkdirSync(`${folder}\\${ended.pid}`);
    Deno.writeTextFileSync(`${folder}\\${ended.pid}\\theirs`, "theirs");
    const environment = { TMP: directory.path, TEMP: directory.path };
    const refused = await runChild(file, ["--allow-read", "--allow-write"], environment);
    assertEquals([refused.result, refused.path, refused.asked], [42, "pointer", "Unsupported"]);
    assertStringIncludes(
      refused.reason,
      "Cannot make stub library: its folder can be changed by other users",
    );
    assertStringIncludes(refused.reason, folder);
    assertEquals(Deno.readTextFileSync(`${folder}\\${ended.pid}\\theirs`), "theirs");

    Deno.removeSync(folder, { recursive: true });
    const used = await runChild(file, ["--allow-read", "--allow-write"], environment);
    assertEquals([used.result, used.path, used.asked], [42, "fast", "fast"]);
    assertEquals([...Deno.readDirSync(folder)], []);
  },
});

Deno.test({
  name: "an ended process's folder that everyone can change is left alone",
  ignore: NOT_WINDOWS,
  async fn() {
    using folder = new StubFolder();
    const ended = new Deno.Command(Deno.execPath(), { args: ["eval", "Deno.exit(0)"] }).spawn();
    await ended.status;
    Deno.mkdirSync(folder.parent, { recursive: true });
    const open = `${folder.parent}\\${ended.pid}`;
    makeOpenFolder(open);
    try {
      Deno.writeTextFileSync(`${open}\\theirs`, "theirs");
      using _next = new StubFolder();
      assertEquals(Deno.readTextFileSync(`${open}\\theirs`), "theirs");
    } finally {
      Deno.removeSync(open, { recursive: true });
    }
  },
});
