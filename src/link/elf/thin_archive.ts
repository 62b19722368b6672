/**
 * Thin archives, which only name their members: makes ordinary ones of them, with the files' bytes.
 */
import { decodeText } from "./bytes.ts";
import { malformed } from "../problems.ts";

const HEADER_SIZE = 60;

/** Whether the bytes begin as a thin archive does. */
export function isThinArchive(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && decodeText(bytes, 0, 8) === "!<thin>\n";
}

/**
 * Returns an ordinary archive with the members of a thin one, without a symbol index.
 *
 * @param read Reads a member, by its path from the archive's folder.
 */
export function fillThinArchive(
  name: string,
  bytes: Uint8Array,
  read: (path: string) => Uint8Array,
): Uint8Array {
  const members: Member[] = [];
  let longNames = "";
  for (let at = 8; at < bytes.length;) {
    if (at + HEADER_SIZE > bytes.length) {
      throw malformed(name, "a member's header is cut off", { offset: at });
    }
    const stored = decodeText(bytes, at, at + 16).trimEnd();
    const size = Number(decodeText(bytes, at + 48, at + 58).trim());
    if (!Number.isSafeInteger(size) || size < 0) {
      throw malformed(name, "a member's header is broken", { offset: at });
    }
    // Only the tables of a thin archive are in the archive itself.
    const isTable = stored === "/" || stored === "//" || stored === "/SYM64/";
    if (stored === "//") longNames = decodeText(bytes, at + HEADER_SIZE, at + HEADER_SIZE + size);
    if (!isTable) {
      const start = /^\/\d+$/.test(stored) ? Number(stored.slice(1)) : -1;
      const path = start === -1 ? stored : longNames.slice(start).split("\n", 1)[0];
      const member = path.replace(/\/$/, "");
      members.push({ name: member, bytes: read(member) });
    }
    at += HEADER_SIZE + (isTable ? size + size % 2 : 0);
  }
  return makeArchive(members);
}

/** A member of an archive. */
interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Makes an ordinary archive of members, without a symbol index. */
export function makeArchive(members: readonly Member[]): Uint8Array {
  const pieces = [
    encoder.encode("!<arch>\n"),
    ...members.flatMap(({ name, bytes }) => memberOf(name, bytes)),
  ];
  const archive = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    archive.set(piece, at);
    at += piece.length;
  }
  return archive;
}

const encoder = new TextEncoder();

/** The header, the name in BSD's form, and the bytes of a member. */
function memberOf(path: string, bytes: Uint8Array): Uint8Array[] {
  const name = encoder.encode(path);
  const size = name.length + bytes.length;
  const header = `#1/${name.length}`.padEnd(16) + "0".padEnd(12) + "0".padEnd(6) + "0".padEnd(6) +
    "644".padEnd(8) + String(size).padEnd(10) + "`\n";
  return [encoder.encode(header), name, bytes, encoder.encode(size % 2 === 1 ? "\n" : "")];
}
