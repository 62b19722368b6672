// Everywhere with a double of Windows; on Windows also with the system itself.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type FolderSystem, PrivateFolders } from "../../src/os/private_folder.ts";
import { privateDescriptor } from "../../src/os/security_descriptor.ts";
import { descriptor, EVERYONE, FULL, makeOpenFolder, OTHER, USER } from "../support/security.ts";
import { assertLoadError, TemporaryDirectory } from "../support/testing.ts";

const WINDOWS = Deno.build.os === "windows";
const PATH = "C:\\Temp\\simple-loader";
const DIRECTORY = 0x10;
const LINK = 0x400;
const TOKEN = 0x70n;
const INVALID = 0xffff_ffff_ffff_ffffn;

interface FakeFolder {
  attributes: number;
  descriptor: Uint8Array;
  finalPath: string;
}

/** A double of Windows, with folders by path; `fails` names functions that fail, with their error number. */
class FakeSystem {
  readonly folders = new Map<string, FakeFolder>();
  readonly open = new Map<bigint, FakeFolder>();
  readonly fails: Partial<Record<keyof FolderSystem, number>> = {};
  /** The access and the share mode of each folder that was opened. */
  readonly opened: [number, number][] = [];
  #errno = 0;
  #nextHandle = 0x100n;

  add(path: string, folder: Partial<FakeFolder> = {}): FakeFolder {
    const made = {
      attributes: DIRECTORY,
      descriptor: privateDescriptor(USER),
      finalPath: `\\\\?\\${path}`,
      ...folder,
    };
    this.folders.set(path, made);
    return made;
  }

  #failed(errno: number | undefined): boolean {
    if (errno !== undefined) this.#errno = errno;
    return errno !== undefined;
  }

  get functions(): FolderSystem {
    const { fails } = this;
    return {
      CreateDirectoryW: (path, block) => {
        if (this.#failed(fails.CreateDirectoryW)) return 0;
        if (this.#failed(this.folders.has(textOf(path)) ? 183 : undefined)) return 0;
        const view = viewOf(block);
        assertEquals([view.getUint32(0, true), view.getUint32(16, true)], [24, 0], "size, not inherited");
        assertEquals(view.getBigUint64(8, true), addressOf(block) + 24n);
        this.add(textOf(path), { descriptor: bytesOf(block).slice(24) });
        return 1;
      },
      CreateFileW: (path, access, share, _security, disposition, flags) => {
        assertEquals([disposition, flags], [3, 0x0220_0000], "an existing folder, the link itself");
        if (this.#failed(fails.CreateFileW)) return INVALID;
        const folder = this.folders.get(textOf(path));
        if (folder === undefined) return this.#failed(2) ? INVALID : 0n;
        this.opened.push([access, share]);
        this.open.set(this.#nextHandle, folder);
        return this.#nextHandle++;
      },
      GetFileInformationByHandle: (handle, information) => {
        if (this.#failed(fails.GetFileInformationByHandle)) return 0;
        viewOf(information).setUint32(0, this.open.get(BigInt(handle))!.attributes, true);
        return 1;
      },
      GetFinalPathNameByHandleW: (handle, buffer) => {
        if (this.#failed(fails.GetFinalPathNameByHandleW)) return 0;
        const { finalPath } = this.open.get(BigInt(handle))!;
        finalPath.split("").forEach((letter, index) =>
          viewOf(buffer).setUint16(2 * index, letter.charCodeAt(0), true)
        );
        return finalPath.length;
      },
      CloseHandle: (handle) => {
        assert(handle === TOKEN || this.open.delete(BigInt(handle)), "an open handle");
        return 1;
      },
      GetLastError: () => this.#errno,
      OpenProcessToken: (process, access, token) => {
        assertEquals([process, access], [INVALID, 8]);
        if (this.#failed(fails.OpenProcessToken)) return 0;
        viewOf(token).setBigUint64(0, TOKEN, true);
        return 1;
      },
      GetTokenInformation: (token, kind, information) => {
        assertEquals([token, kind], [TOKEN, 1]);
        if (this.#failed(fails.GetTokenInformation)) return 0;
        bytesOf(information).set(USER, 16);
        viewOf(information).setBigUint64(0, addressOf(information) + 16n, true);
        return 1;
      },
      CopySid: (_length, into, from) => {
        if (this.#failed(fails.CopySid)) return 0;
        const source = new Deno.UnsafePointerView(Deno.UnsafePointer.create(BigInt(from))!);
        source.copyInto(bytesOf(into).subarray(0, USER.length));
        return 1;
      },
      GetKernelObjectSecurity: (handle, what, buffer, _size, length) => {
        assertEquals(what, 1 | 4, "owner and access list");
        if (this.#failed(fails.GetKernelObjectSecurity)) return 0;
        const { descriptor } = this.open.get(BigInt(handle))!;
        bytesOf(buffer).set(descriptor);
        viewOf(length).setUint32(0, descriptor.length, true);
        return 1;
      },
    };
  }
}

type Parameter = Parameters<FolderSystem["CreateDirectoryW"]>[0];

function bytesOf(parameter: Parameter): Uint8Array<ArrayBuffer> {
  if (!ArrayBuffer.isView(parameter)) throw new Error("not a view");
  return new Uint8Array(parameter.buffer as ArrayBuffer, parameter.byteOffset, parameter.byteLength);
}

function viewOf(parameter: Parameter): DataView {
  const { buffer, byteOffset, byteLength } = bytesOf(parameter);
  return new DataView(buffer, byteOffset, byteLength);
}

function addressOf(parameter: Parameter): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytesOf(parameter)));
}

function textOf(path: Parameter): string {
  const text = new TextDecoder("utf-16le").decode(bytesOf(path));
  assert(text.endsWith("\0"));
  return text.slice(0, -1);
}

Deno.test("a folder is made for its user alone, held against renaming while it is open, and then let go", () => {
  const system = new FakeSystem();
  using folders = new PrivateFolders("test", system.functions);
  {
    using folder = folders.open(PATH, { create: true });
    assertEquals(folder.path, PATH);
    assertEquals(system.folders.get(PATH)?.descriptor, privateDescriptor(USER));
    assertEquals(system.open.size, 1);
    const [[access, share]] = system.opened;
    assertEquals(access & 1, 1, "list: else the share mode has no effect");
    assertEquals(share & 4, 0, "deleting and renaming are not shared");
  }
  assertEquals(system.open.size, 0);
});

Deno.test("a folder of this user that no other user can change is used as it is", () => {
  const system = new FakeSystem();
  const before = system.add(PATH, { descriptor: descriptor(USER, [{ mask: FULL, sid: USER }]) });
  using folders = new PrivateFolders("test", system.functions);
  using folder = folders.open(PATH, { create: true });
  assertEquals(folder.path, PATH);
  assertEquals(system.folders.get(PATH), before);
});

const REFUSED: readonly [name: string, folder: Partial<FakeFolder>, problem: string][] = [
  ["another user's folder", { descriptor: privateDescriptor(OTHER) }, "belongs to another user"],
  ["a folder that everyone can change", {
    descriptor: descriptor(USER, [{ mask: FULL, sid: EVERYONE }]),
  }, "can be changed by other users"],
  [
    "a folder of a file system without users",
    { descriptor: descriptor(USER, null) },
    "can be changed by every user",
  ],
  ["a junction", { attributes: DIRECTORY | LINK }, "is a link to another place"],
  ["a file", { attributes: 0x20 }, "is not a folder"],
  [
    "a folder with a damaged descriptor",
    { descriptor: new Uint8Array(20).fill(0xff) },
    "has access rights that cannot be read",
  ],
];

for (const [name, folder, problem] of REFUSED) {
  for (const create of [true, false]) {
    Deno.test(`${name} is refused${create ? "" : ", also where none is made"}, and closed again`, () => {
      const system = new FakeSystem();
      system.add(PATH, folder);
      using folders = new PrivateFolders("test", system.functions);
      const error = assertLoadError(() => folders.open(PATH, { create }), "Unsupported", { path: PATH });
      assertStringIncludes(error.message, `Cannot test: its folder ${problem}`);
      assertStringIncludes(error.hint, "TMP");
      assertEquals(system.open.size, 0);
    });
  }
}

for (
  const [finalPath, path] of [
    ["\\\\?\\D:\\real\\simple-loader", "D:\\real\\simple-loader"],
    ["\\\\?\\UNC\\server\\share\\simple-loader", "\\\\server\\share\\simple-loader"],
    ["\\\\?\\c:\\TEMP\\Simple-Loader", PATH],
  ]
) {
  Deno.test(`an open folder's path is that of the folder itself: ${finalPath}`, () => {
    const system = new FakeSystem();
    system.add(PATH, { finalPath });
    using folders = new PrivateFolders("test", system.functions);
    using folder = folders.open(PATH);
    assertEquals(folder.path, path);
  });
}

for (
  const [call, kind] of [
    ["CreateDirectoryW", "Io"],
    ["CreateFileW", "Io"],
    ["GetFinalPathNameByHandleW", "Io"],
    ["GetFileInformationByHandle", "Unsupported"],
    ["GetKernelObjectSecurity", "Unsupported"],
    ["OpenProcessToken", "Unsupported"],
    ["GetTokenInformation", "Unsupported"],
    ["CopySid", "Unsupported"],
  ] as const
) {
  Deno.test(`a failure of ${call} is an error, and leaves nothing open`, () => {
    const system = new FakeSystem();
    system.fails[call] = 5;
    const error = assertLoadError(() => {
      using folders = new PrivateFolders("test", system.functions);
      folders.open(PATH, { create: true })[Symbol.dispose]();
    }, kind);
    assert(error.message.startsWith("Cannot test: "), error.message);
    assertEquals(system.open.size, 0);
  });
}

Deno.test("a folder that vanishes after it was made is made again, but not for ever", () => {
  const system = new FakeSystem();
  let made = 0;
  let vanishing = 2;
  const { functions } = system;
  const { CreateDirectoryW } = functions;
  using folders = new PrivateFolders("test", {
    ...functions,
    CreateDirectoryW(path, block) {
      const result = CreateDirectoryW(path, block);
      if (++made <= vanishing) system.folders.clear();
      return result;
    },
  });
  folders.open(PATH, { create: true })[Symbol.dispose]();
  assertEquals(made, 3);
  system.folders.clear();
  [made, vanishing] = [0, Infinity];
  assertLoadError(() => folders.open(PATH, { create: true }), "Io", {
    path: PATH,
    call: "CreateFileW",
    errno: 2,
  });
  assertEquals(made, 3);
});

Deno.test("a folder that is only to be opened is not made", () => {
  const system = new FakeSystem();
  using folders = new PrivateFolders("test", system.functions);
  assertLoadError(() => folders.open(PATH), "Io", { path: PATH, call: "CreateFileW", errno: 2 });
  assertEquals(system.folders.size, 0);
});

Deno.test({
  name: "Windows: a new folder is private, cannot be renamed or deleted while it is open, and opens again",
  ignore: !WINDOWS,
  fn() {
    using directory = new TemporaryDirectory();
    using folders = new PrivateFolders("test");
    const path = `${Deno.realPathSync(directory.path)}\\größe 😀`;
    {
      using folder = folders.open(path, { create: true });
      assertEquals(folder.path, path);
      Deno.writeTextFileSync(`${path}\\file`, "inside");
      Deno.removeSync(`${path}\\file`);
      for (const change of [() => Deno.renameSync(path, `${path}2`), () => Deno.removeSync(path)]) {
        let failed = false;
        try {
          change();
        } catch {
          failed = true;
        }
        assert(failed, `${change}`);
      }
    }
    folders.open(path)[Symbol.dispose]();
    Deno.removeSync(path);
  },
});

Deno.test({
  name: "Windows: a folder that everyone can change is refused",
  ignore: !WINDOWS,
  fn() {
    using directory = new TemporaryDirectory();
    const path = `${directory.path}\\open`;
    makeOpenFolder(path);
    using folders = new PrivateFolders("test");
    const error = assertLoadError(() => folders.open(path, { create: true }), "Unsupported", { path });
    assertStringIncludes(error.message, "can be changed by other users");
  },
});
