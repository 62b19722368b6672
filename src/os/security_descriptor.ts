/**
 * Security descriptors of Windows, self-relative, as bytes [MS-DTYP 2.4]: makes
 * the one of a folder for one user alone, and judges those of folders that exist.
 */

const SE_DACL_PRESENT = 0x0004;
const SE_DACL_PROTECTED = 0x1000;
const SE_SELF_RELATIVE = 0x8000;

const ACCESS_ALLOWED = 0;
const ACCESS_DENIED = 1;
/** OBJECT_INHERIT_ACE and CONTAINER_INHERIT_ACE: holds for all that lies in the folder. */
const INHERITED_BY_ALL = 0x03;
const FILE_ALL_ACCESS = 0x001f_01ff;
/** FILE_GENERIC_READ, FILE_GENERIC_EXECUTE, GENERIC_READ and GENERIC_EXECUTE: nothing that changes a folder. */
const READ_AND_EXECUTE = 0x0012_00a9 | 0xa000_0000;

/** NT AUTHORITY\SYSTEM, S-1-5-18 */
const LOCAL_SYSTEM = sid(5, 18);
/** An account that may act as one of these can change everything on the machine. */
const ADMINISTRATION = [LOCAL_SYSTEM, sid(5, 32, 544)];
/** CREATOR OWNER and OWNER RIGHTS: stand for who owns a file, and so for nobody new. */
const OWNER_ITSELF = [sid(3, 0), sid(3, 4)];

/** A security identifier, S-1-`authority`-`parts`. */
export function sid(authority: number, ...parts: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + 4 * parts.length);
  bytes.set([1, parts.length]);
  bytes[7] = authority;
  const view = new DataView(bytes.buffer);
  parts.forEach((part, index) => view.setUint32(8 + 4 * index, part, true));
  return bytes;
}

/** The security identifier that starts at an offset, without what follows it. */
export function sidAt(bytes: Uint8Array, offset: number): Uint8Array {
  const length = 8 + 4 * bytes[offset + 1];
  // NaN, past the end, is not a length either.
  if (!(offset + length <= bytes.length)) throw new RangeError("a SID reaches past its buffer");
  return bytes.subarray(offset, offset + length);
}

/** The descriptor of a folder of `user` which only that user and the system can open. */
export function privateDescriptor(user: Uint8Array): Uint8Array<ArrayBuffer> {
  const entries = [user, LOCAL_SYSTEM];
  const header = 20;
  const list = header + user.length;
  const listSize = entries.reduce((sum, { length }) => sum + 8 + length, 8);
  const bytes = new Uint8Array(list + listSize);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1; // SECURITY_DESCRIPTOR_REVISION
  view.setUint16(2, SE_SELF_RELATIVE | SE_DACL_PROTECTED | SE_DACL_PRESENT, true);
  view.setUint32(4, header, true); // the owner's offset
  view.setUint32(16, list, true); // the access list's offset
  bytes.set(user, header);
  bytes[list] = 2; // ACL_REVISION
  view.setUint16(list + 2, listSize, true);
  view.setUint16(list + 4, entries.length, true);
  let at = list + 8;
  for (const entry of entries) {
    bytes.set([ACCESS_ALLOWED, INHERITED_BY_ALL], at);
    view.setUint16(at + 2, 8 + entry.length, true);
    view.setUint32(at + 4, FILE_ALL_ACCESS, true);
    bytes.set(entry, at + 8);
    at += 8 + entry.length;
  }
  return bytes;
}

/**
 * The reason why a folder with this descriptor is not under the control of `user`
 * alone (administrators aside); undefined if it is.
 */
export function whyNotPrivate(descriptor: Uint8Array, user: Uint8Array): string | undefined {
  try {
    const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
    const [owner, list] = [view.getUint32(4, true), view.getUint32(16, true)];
    const trusted = [user, ...ADMINISTRATION];
    if (owner === 0 || !includes(trusted, sidAt(descriptor, owner))) return "belongs to another user";
    // Windows lets everybody in where the list is missing.
    if (list === 0 || (view.getUint16(2, true) & SE_DACL_PRESENT) === 0) {
      return "can be changed by every user";
    }
    trusted.push(...OWNER_ITSELF);
    let at = list + 8;
    for (let count = view.getUint16(list + 4, true); count > 0; count--) {
      const type = view.getUint8(at);
      const plain = type === ACCESS_ALLOWED && includes(trusted, sidAt(descriptor, at + 8));
      const harmless = type === ACCESS_ALLOWED && (view.getUint32(at + 4, true) & ~READ_AND_EXECUTE) === 0;
      // Kinds that are not known here may allow anything.
      if (type !== ACCESS_DENIED && !plain && !harmless) return "can be changed by other users";
      at += view.getUint16(at + 2, true);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "has access rights that cannot be read";
  }
}

function includes(sids: readonly Uint8Array[], wanted: Uint8Array): boolean {
  return sids.some((each) => each.length === wanted.length && each.every((byte, at) => byte === wanted[at]));
}
