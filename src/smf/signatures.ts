/**
 * Signatures of a file by Ed25519 keys (RFC 8032), in one section of the type `Signatures`.
 *
 * The section begins with the number of signatures (4 bytes) and 4 zeros. Records of 96 bytes follow; those behind
 * the last signature are zero, room for further ones.
 *
 * | field       | offset | bytes |                                     |
 * | ----------- | ------ | ----- | ----------------------------------- |
 * | `key`       | 0      | 32    | the public key                      |
 * | `signature` | 32     | 64    | R and S (RFC 8032, section 5.1.6)   |
 *
 * A signature signs {@linkcode CONTEXT}, followed by all bytes of the file, with those of the section and of the
 * header's `module_hash` as zeros: adding a signature changes nothing that the others sign, and the hash is made last.
 * Place and size of the section are in the section table, which is signed. Nothing else may use its bytes.
 */

import { LoadError } from "../errors/load_error.ts";
import { SectionType } from "./enums.ts";
import { type ParsedSmf, symbolsEnd } from "./file.ts";
import { PUBLIC_KEY_SIZE } from "./keys.ts";
import { LAYOUTS } from "./layout.ts";
import { sectionLabel, type SmfSection } from "./section.ts";

/** The name of the section. */
export const SIGNATURES_SECTION = ".signatures";

/** Bytes of a signature. */
const SIGNATURE_SIZE = 64;

/** In front of the file's bytes, so that no other use of a key signs the same message. */
const CONTEXT: Uint8Array = new TextEncoder().encode("SMF file signature 1\0");

const HEAD = 8;
const RECORD: number = PUBLIC_KEY_SIZE + SIGNATURE_SIZE;

/** A signature as the file has it; reading does not check it. */
export interface ModuleSignature {
  /** The public key of the signer, 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** 64 bytes. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/** The signatures of a file, and how many it has room for. */
export interface SignatureList {
  readonly signatures: readonly ModuleSignature[];
  readonly room: number;
}

/** Writes the bytes of the section. */
export function signaturesBytes({ signatures, room }: SignatureList): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD + room * RECORD);
  new DataView(bytes.buffer).setUint32(0, signatures.length, true);
  signatures.forEach(({ key, signature }, index) => {
    bytes.set(key, HEAD + index * RECORD);
    bytes.set(signature, HEAD + index * RECORD + PUBLIC_KEY_SIZE);
  });
  return bytes;
}

/**
 * Reads the signatures of a file; undefined if it has no section of them.
 *
 * @throws {LoadError} `InvalidFormat` if the section holds something else, or something else uses its bytes.
 */
export function readSignatures(file: ParsedSmf): SignatureList | undefined {
  const section = sectionOf(file);
  if (section === undefined) return undefined;
  const bytes = file.storedBytes(section);
  const room = (bytes.length - HEAD) / RECORD;
  if (bytes.length < HEAD || !Number.isInteger(room)) {
    throw refusal(section, `its size is not ${HEAD} and a multiple of ${RECORD}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true), end = HEAD + count * RECORD;
  if (count > room) throw refusal(section, "there are fewer records than it says");
  if (view.getUint32(4, true) !== 0) {
    throw refusal(section, "it has a field that this version does not know", 4);
  }
  const more = bytes.subarray(end).findIndex((byte) => byte !== 0);
  if (more >= 0) throw refusal(section, "there are bytes behind the last signature", end + more);
  const signatures = Array.from({ length: count }, (_, index) => {
    const at = HEAD + index * RECORD;
    return {
      key: new Uint8Array(bytes.subarray(at, at + PUBLIC_KEY_SIZE)),
      signature: new Uint8Array(bytes.subarray(at + PUBLIC_KEY_SIZE, at + RECORD)),
    };
  });
  return { signatures, room };
}

/**
 * Returns the message that the signatures of a file sign.
 *
 * @param file A file with a section of signatures.
 * @param bytes The bytes that it was parsed from.
 * @throws {LoadError} As {@linkcode readSignatures}.
 */
export function signedMessage(file: ParsedSmf, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { offset, size } = sectionOf(file)!;
  const [hashAt, hashSize] = LAYOUTS[file.header.layout].header.fields.module_hash;
  const message = new Uint8Array(CONTEXT.length + bytes.length);
  message.set(CONTEXT);
  message.set(bytes, CONTEXT.length);
  const zero = (start: number, length: number) =>
    message.fill(0, CONTEXT.length + start, CONTEXT.length + start + length);
  zero(offset, size);
  zero(file.header.offset + hashAt, hashSize);
  return message;
}

/** Finds the section, whose bytes nobody signs: so nothing else may read any of them. */
function sectionOf(file: ParsedSmf): SmfSection | undefined {
  const { header, sections, size } = file;
  const [section, second] = sections.filter(({ type }) => type === SectionType.Signatures);
  if (section === undefined) return undefined;
  if (second !== undefined) throw refusal(second, "there are two sections of them");
  if (section.compressed) throw refusal(section, "the section is compressed");
  const layout = LAYOUTS[header.layout], table = header.sectionTableOffset;
  const used: (readonly [part: string, start: number, end: number])[] = [
    ["the stub", 0, header.base],
    ["the header", header.offset, header.offset + layout.header.size],
    ["the section table", table, table + sections.length * layout.section.size],
    ["the symbols", header.symbolTableOffset, symbolsEnd(header, layout, sections, size)],
    ...sections.filter((other) => other !== section).map((other) =>
      [`section '${sectionLabel(other)}'`, other.offset, other.offset + other.size] as const
    ),
  ];
  const end = section.offset + section.size;
  const sharer = used.find(([, start, last]) => start < end && last > section.offset && start < last);
  if (sharer !== undefined) throw refusal(section, `it shares bytes with ${sharer[0]}`);
  return section;
}

function refusal(section: SmfSection, problem: string, at = 0): LoadError {
  return new LoadError("InvalidFormat", `Cannot read signatures: ${problem}`, {
    section: sectionLabel(section),
    offset: section.offset + at,
  });
}
