// Committed machine code runs on every processor of its architecture: x86-64-v1 and Armv8.0.
import { assert, assertEquals } from "@std/assert";
import { EXITS_LIBRARY } from "../src/load/runtime/atexit_library.ts";
import { CRASH_IMAGE } from "../src/load/runtime/crash_image.ts";
import { CRASH_LIBRARY } from "../src/load/runtime/crash_library.ts";
import { Archive, isArchive } from "../src/link/elf/archive.ts";
import { isFat, thinInputs } from "../src/link/macho/fat.ts";
import { isObject, readObject } from "../src/link/object_file.ts";
import { Machine, SectionFlag } from "../src/os/elf.ts";
import { Arch, SectionType } from "../src/smf/enums.ts";
import { parseSmf } from "../src/smf/file.ts";
import { armExtension, BaselineCheck, type Excess, x86Extension } from "./support/instruction_sets.ts";
import { fromBase64, fromHex } from "./support/digits.ts";

type Processor = keyof typeof EXITS_LIBRARY;
const ROOT = new URL("../", import.meta.url);

/** The folders of committed modules, objects and archives. The code in fixtures/malformed is never run. */
function* committed(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory && name !== "malformed") yield* committed(`${folder}${name}/`);
    if (/\.(smf|sme|o|obj|a|lib)$/.test(name)) yield `${folder}${name}`;
    assert(!/\.(so|dll)$/.test(name), `${folder}${name}: this test does not read such files`);
  }
}

/** The code of a module, an object, the objects in an archive, or of what is in a file for several processors. */
function codeOf(path: string, bytes: Uint8Array): readonly (readonly [arch: Processor, code: Uint8Array])[] {
  if (isFat(bytes)) {
    return [Machine.X86_64, Machine.AARCH64].flatMap((machine) =>
      thinInputs([{ name: path, bytes }], () => machine).flatMap((part) => codeOf(part.name, part.bytes))
    );
  }
  if (isArchive(bytes)) {
    return [...new Archive(path, bytes).members()].flatMap((member) => codeOf(member.name, member.bytes));
  }
  if (isObject(bytes)) {
    const { machine, sections, file } = readObject(path, bytes);
    const arch = machine === Machine.X86_64 ? "x86_64" : "aarch64";
    const code = sections.filter(({ flags }) => (flags & SectionFlag.EXECINSTR) !== 0);
    const contents = withoutData(bytes, file.bytes, Math.min(...code.map(({ offset }) => offset)));
    return code.map(({ offset, size }) => [arch, contents.subarray(offset, offset + size)]);
  }
  const module = parseSmf(bytes, { path });
  const arch = module.header.arch === Arch.X86_64 ? "x86_64" : "aarch64";
  return module.sections.filter(({ type }) => type === SectionType.Code)
    .map((section) => [arch, module.contents(section)]);
}

/** The load command of a Mach-O object that lists the data among its code (`mach-o/loader.h`). */
const DATA_IN_CODE = 0x29;

/**
 * Replaces data among the code of a Mach-O object, such as tables of jumps, by instructions that do nothing.
 *
 * @param contents The bytes with the sections, in which code begins at `first`.
 */
function withoutData(object: Uint8Array, contents: Uint8Array, first: number): Uint8Array {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const isMacho = view.getUint32(0, true) === 0xfeed_facf;
  if (!isMacho) return contents;
  const code = contents.slice();
  for (let at = 32, left = view.getUint32(16, true); left > 0; left--) {
    if (view.getUint32(at, true) === DATA_IN_CODE) {
      const start = view.getUint32(at + 8, true), end = start + view.getUint32(at + 12, true);
      for (let entry = start; entry < end; entry += 8) {
        const offset = first + view.getUint32(entry, true);
        code.fill(0x90, offset, offset + view.getUint16(entry + 4, true));
      }
    }
    at += view.getUint32(at + 4, true);
  }
  return code;
}

/** Code that asks the processor for these extensions first: libgcc's atomic functions. */
const ASKS_FIRST: Readonly<Record<string, string>> = { "fixtures/macho/throws_arm64.smf": "LSE" };

/** The executable sections of a shared library, by its section headers. */
function codeOfLibrary(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = Number(view.getBigUint64(40, true));
  return Array.from({ length: view.getUint16(60, true) }, (_, index) => start + 64 * index)
    .filter((at) => (view.getUint32(at + 8, true) & SectionFlag.EXECINSTR) !== 0)
    .map((at) => {
      const offset = Number(view.getBigUint64(at + 24, true));
      return bytes.subarray(offset, offset + Number(view.getBigUint64(at + 32, true)));
    });
}

Deno.test("committed modules and objects need no more than the baseline of their processor", async () => {
  const check = await BaselineCheck.start();
  const wrong: string[] = [];
  let [files, total] = [0, 0];
  for (const path of [...committed("fixtures/"), ...committed("examples/")]) {
    const excess: Excess[] = [];
    for (const [arch, code] of codeOf(path, Deno.readFileSync(new URL(path, ROOT)))) {
      const found = check.find(arch, code);
      total += found.instructions;
      excess.push(...found.excess.filter(({ extension }) => extension !== ASKS_FIRST[path]));
    }
    files++;
    const some = excess.slice(0, 3).map(({ text, extension }) => `${text} (${extension})`).join(", ");
    if (excess.length > 0) wrong.push(`${path}: ${excess.length} instructions, such as ${some}`);
  }
  assertEquals(wrong, []);
  // So that a decoder that gives up, or a folder that moves, does not pass.
  assert(files > 80, `${files} files`);
  assert(total > 100_000, `${total} instructions`);
});

for (
  const [what, library] of [["registers exits", EXITS_LIBRARY], ["reports crashes", CRASH_LIBRARY]] as const
) {
  for (const arch of ["x86_64", "aarch64"] as const) {
    Deno.test(`the library that ${what} needs no more than the baseline of ${arch}`, async () => {
      const check = await BaselineCheck.start();
      const sections = codeOfLibrary(fromBase64(library[arch]));
      const found = sections.map((code) => check.find(arch, code));
      assertEquals(found.flatMap(({ excess }) => excess), []);
      assert(found.reduce((sum, { instructions }) => sum + instructions, 0) > 100);
    });
  }
}

Deno.test("the image that reports crashes on Windows needs no more than the baseline", async () => {
  const check = await BaselineCheck.start();
  const found = codeOfLibrary(fromBase64(CRASH_IMAGE.bytes)).map((code) => check.find("x86_64", code));
  assertEquals(found.flatMap(({ excess }) => excess), []);
  assert(found.reduce((sum, { instructions }) => sum + instructions, 0) > 100);
});

Deno.test("instructions beyond x86-64-v1 are told from those inside it", () => {
  const extension = (text: string): string | undefined => x86Extension([...fromHex(text)]);
  for (
    const code of [
      ...["c5fc10c0", "62f17c481000", "660f3800c1", "66480f3a22c001", "f30fb8c0", "f30fbdc0"],
      ...["f20f12c1", "f20fd0c1", "480fc70f", "0f01d0", "0fc7f0", "9f", "dd08", "8fe97810c0"],
    ]
  ) {
    assert(extension(code) !== undefined, code);
  }
  for (
    const code of [
      ...["c3", "f30f1efa", "0f10c0", "f30f10c0", "660f12c0", "f30fbcc0", "0fbdc0", "0fc70f"],
      ...["0faee8", "0faef0", "f20f2ac0", "db00", "66662e0f1f840000000000", "0f0b", "0fa2", "8f00"],
    ]
  ) {
    assertEquals(extension(code), undefined, code);
  }
});

Deno.test("instructions beyond Armv8.0 are told from those inside it", () => {
  const cases: readonly (readonly [string, string])[] = [
    ...[["casal", "w0, w1, [x2]"], ["ldaddal", "w0, w1, [x2]"], ["swpb", "w0, w1, [x2]"]] as const,
    ...[["ldaprb", "w0, [x1]"], ["retaa", ""], ["sqrdmlah", "v0.4s, v1.4s, v2.4s"]] as const,
    ...[["add", "z0.s, z1.s, z2.s"], ["fadd", "h0, h1, h2"], ["crc32b", "w0, w1, w2"]] as const,
  ];
  for (const [mnemonic, operands] of cases) assert(armExtension(mnemonic, operands) !== undefined, mnemonic);
  for (
    const [mnemonic, operands] of [
      ...[["ldaxr", "w0, [x1]"], ["stlxr", "w0, w1, [x2]"], ["paciasp", ""], ["ret", ""]] as const,
      ...[["bfi", "w0, w1, #3, #4"], ["fadd", "d0, d1, d2"], ["ldar", "w0, [x1]"], [
        "fcvt",
        "h0, s1",
      ]] as const,
      ...[["bl", "#0x40"], ["subs", "x0, x1, x2"], ["hint", "#34"]] as const,
    ]
  ) {
    assertEquals(armExtension(mnemonic, operands), undefined, mnemonic);
  }
});
