/** Security descriptors of Windows, for tests: written by hand, and by the system. */

import { sid } from "../../src/os/security_descriptor.ts";

/** An entry of an access list. */
export interface AccessEntry {
  /** @default 0, which allows */
  readonly type?: number;
  readonly flags?: number;
  readonly mask: number;
  readonly sid: Uint8Array;
}

export const FULL = 0x001f_01ff;
export const USER = sid(5, 21, 1, 2, 3, 1001);
export const OTHER = sid(5, 21, 1, 2, 3, 1002);
export const EVERYONE = sid(1, 0);

/** A self-relative descriptor; the list comes before the owner, as systems may put it. */
export function descriptor(
  owner: Uint8Array,
  entries: readonly AccessEntry[] | null,
): Uint8Array<ArrayBuffer> {
  const aces = (entries ?? []).flatMap(({ type = 0, flags = 3, mask, sid }) => [
    type,
    flags,
    8 + sid.length,
    0,
    ...new Uint8Array(Uint32Array.of(mask).buffer),
    ...sid,
  ]);
  const list = entries === null ? [] : [2, 0, 8 + aces.length, 0, entries.length, 0, 0, 0, ...aces];
  const words = Uint32Array.of(20 + list.length, 0, 0, entries === null ? 0 : 20);
  return Uint8Array.from([
    1,
    0,
    entries === null ? 0 : 4,
    0x80,
    ...new Uint8Array(words.buffer),
    ...list,
    ...owner,
  ]);
}

/** What Windows calls a descriptor in its own language (SDDL); owner and access list only. */
export function sddlOf(descriptor: Uint8Array<ArrayBuffer>): string {
  const advapi32 = Deno.dlopen("advapi32.dll", {
    ConvertSecurityDescriptorToStringSecurityDescriptorW: {
      parameters: ["buffer", "u32", "u32", "buffer", "buffer"],
      result: "i32",
    },
  });
  const kernel32 = Deno.dlopen("kernel32.dll", { LocalFree: { parameters: ["usize"], result: "usize" } });
  try {
    const [text, length] = [new BigUint64Array(1), new Uint32Array(1)];
    const convert = advapi32.symbols.ConvertSecurityDescriptorToStringSecurityDescriptorW;
    if (convert(descriptor, 1, 1 | 4, text, length) === 0) throw new Error("not a security descriptor");
    const view = new Deno.UnsafePointerView(Deno.UnsafePointer.create(text[0])!);
    const units = Array.from({ length: length[0] }, (_, index) => view.getUint16(2 * index));
    kernel32.symbols.LocalFree(text[0]);
    return String.fromCharCode(...units).replace(/\0+$/, "");
  } finally {
    advapi32.close();
    kernel32.close();
  }
}

/** Makes a folder of this user which everyone can change. */
export function makeOpenFolder(path: string): void {
  Deno.mkdirSync(path);
  const advapi32 = Deno.dlopen("advapi32.dll", {
    SetFileSecurityW: { parameters: ["buffer", "u32", "buffer"], result: "i32" },
  });
  try {
    const wide = Uint16Array.from(`${path}\0`.split(""), (letter) => letter.charCodeAt(0));
    const everyone = descriptor(USER, [{ mask: FULL, sid: EVERYONE }]);
    // 4: the access list alone, not the owner.
    if (advapi32.symbols.SetFileSecurityW(wide, 4, everyone) === 0) throw new Error(`cannot open up ${path}`);
  } finally {
    advapi32.close();
  }
}
