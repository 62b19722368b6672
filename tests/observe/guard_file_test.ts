import { assertEquals } from "@std/assert";
import { companionSections } from "../../src/observe/companion.ts";
import { type GuardArch, writeGuardFile } from "../../src/observe/guard_file.ts";

const CODE = { address: 0x7f12_3456_7890n, size: 0x123 } as const;

/** The rules of a register: where it is, in words below the frame of the caller. */
function rulesOf(arch: GuardArch): { frame: number[]; saved: Record<number, number> } {
  const bytes = companionSections(writeGuardFile(arch, CODE)).get(".debug_frame")!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(0, true), next = 4 + length;
  // Two records that fill the section; the second one is about the code (DWARF 5, 6.4.1).
  assertEquals([view.getUint32(4, true), bytes[8], bytes[9]], [0xffff_ffff, 3, 0]);
  assertEquals([next + 4 + view.getUint32(next, true), view.getUint32(next + 4, true)], [bytes.length, 0]);
  assertEquals(view.getBigUint64(next + 8, true), CODE.address);
  assertEquals(view.getBigUint64(next + 16, true), BigInt(CODE.size));
  const saved: Record<number, number> = {};
  let at = 13, frame: number[] = [];
  while (at < next) {
    const code = bytes[at++];
    if (code === 0x0c) {
      const register = bytes[at++];
      let offset = 0;
      for (let shift = 0;; shift += 7) {
        offset |= (bytes[at] & 0x7f) << shift;
        if ((bytes[at++] & 0x80) === 0) break;
      }
      frame = [register, offset];
    } else if (code >> 6 === 2) saved[code & 0x3f] = bytes[at++];
    else assertEquals(code, 0);
  }
  return { frame, saved };
}

Deno.test("a guard's registers are where its code has saved them", () => {
  assertEquals(rulesOf("x86_64"), {
    frame: [6, 16],
    saved: { 16: 1, 6: 2, 3: 3, 12: 4, 13: 5, 14: 6, 15: 7 },
  });
  const { frame, saved } = rulesOf("aarch64");
  assertEquals(frame, [29, 176]);
  // From the frame of the caller, 176 bytes up, x29 is 22 words down.
  assertEquals([saved[29], saved[30], saved[19], saved[20], saved[28]], [22, 21, 20, 19, 11]);
  assertEquals(Object.keys(saved).length, 12);
});
