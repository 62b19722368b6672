// Branches of AArch64 whose targets are more than 128 MiB away.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleRegistry } from "../../mod.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import { isolated } from "../support/isolated.ts";
import { addFunction, ElfWriter, link, type Linked } from "../support/objects.ts";

const AARCH64 = 183;
const CALL26 = 283, JUMP26 = 282, CONDBR19 = 280;
const MIB = 2 ** 20;

const PUSH = 0xa9bf7bfd; // stp x29, x30, [sp, #-16]!
const POP = 0xa8c17bfd; // ldp x29, x30, [sp], #16
const BL = 0x94000000, B = 0x14000000, RET = 0xd65f03c0;

/** An object with a function of these instructions, some of which branch to names. */
function object(
  name: string,
  code: readonly number[],
  branches: Record<number, [name: string, type: number]>,
) {
  const writer = new ElfWriter(AARCH64);
  const section = addFunction(writer, name, new Uint8Array(Uint32Array.from(code).buffer));
  for (const [index, [target, type]] of Object.entries(branches)) {
    writer.relocation(section, { offset: 4 * Number(index), symbol: writer.symbol({ name: target }), type });
  }
  return writer.build();
}

/** `start` calls `far`, which jumps back to `back`, and twice the host's `abs`; `size` bytes lie between them. */
function apart(size: number): Linked {
  const filler = new ElfWriter(AARCH64);
  // In parts, as compilers make sections of functions.
  for (let part = 0; part < 10; part++) addFunction(filler, `filler${part}`, new Uint8Array(size / 10));
  return link({
    "start.o": object("start", [PUSH, BL, BL, BL, BL, POP, RET], {
      1: ["far", CALL26],
      2: ["abs", CALL26],
      3: ["far", CALL26],
      4: ["abs", CALL26],
    }),
    // mov w0, #-42
    "back.o": object("back", [0x12800520, RET], {}),
    "filler.o": filler.build(),
    "far.o": object("far", [B], { 0: ["back", JUMP26] }),
  });
}

/** Where the branch at an address leads. */
function target(linked: Linked, at: number): number {
  return at + 4 * (linked.int32(at) << 6 >> 6);
}

/** Returns the place that the veneer at an address leads to, by its relocations. */
function throughVeneer(linked: Linked, at: number): [section: string, offset: number] {
  assertEquals(linked.bytesAt(at, 12), [0x10, 0, 0, 0x90, 0x10, 2, 0, 0x91, 0, 2, 0x1f, 0xd6]);
  const [page, low] = linked.relocations().filter(({ offset }) => offset >= at && offset < at + 12)
    .sort((a, b) => a.offset - b.offset);
  assertEquals([page.offset, page.type], [at, RelocationType.Arm64Page21]);
  assertEquals([low.offset, low.type], [at + 4, RelocationType.Arm64PageOff12]);
  assertEquals([page.symbol, page.addend], [low.symbol, low.addend]);
  return [page.symbol!, Number(page.addend)];
}

Deno.test("branches go through a veneer if the target is out of reach, and straight to it otherwise", () => {
  const large = apart(140 * MIB);
  const start = large.at("start"), text = large.section(".text").address;
  assert(large.at("far") - start > 128 * MIB);
  const [far, abs, farAgain, absAgain] = [4, 8, 12, 16].map((offset) => target(large, start + offset));
  // Calls of one function share a veneer.
  assertEquals([farAgain, absAgain], [far, abs]);
  assertEquals(throughVeneer(large, far), [".text", large.at("far") - text]);
  assertEquals(throughVeneer(large, abs), [".plt", 0]);
  assertEquals(throughVeneer(large, target(large, large.at("far"))), [".text", large.at("back") - text]);

  // Large enough for veneers, but all is in reach, and no veneer has a relocation.
  const medium = apart(70 * MIB);
  assertEquals(target(medium, medium.at("start") + 4), medium.at("far"));
  assertEquals(target(medium, medium.at("far")), medium.at("back"));
  assertEquals(medium.relocations().filter(({ symbol }) => symbol === ".text"), []);
});

Deno.test("a conditional branch that reaches no veneer is an error that says how far it is", () => {
  const writer = new ElfWriter(AARCH64);
  for (let part = 0; part < 10; part++) addFunction(writer, `filler${part}`, new Uint8Array(14 * MIB));
  const inputs = {
    "start.o": object("start", [0x54000000, RET], { 0: ["far", CONDBR19] }),
    "filler.o": writer.build(),
    "far.o": object("far", [RET], {}),
  };
  // The veneer is beyond 1 MiB, as the next function is.
  const error = assertThrows(() => link(inputs), LoadError, "the distance does not fit");
  assertEquals(error.kind, "RelocationFailed");
});

const runs = Deno.build.os === "linux" && Deno.build.arch === "aarch64";
Deno.test({
  name: `a module of 140 MiB of code runs${runs ? "" : " (SKIPPED: needs Linux AArch64)"}`,
  ignore: !runs,
  fn: isolated(() => {
    const { module: { bytes } } = apart(140 * MIB);
    using registry = new ModuleRegistry();
    using module = registry.loadBytes("large", bytes);
    assertEquals(module.bind({ start: { parameters: [], result: "i32" } }).symbols.start(), 42);
  }),
});
