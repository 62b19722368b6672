/**
 * A reader of PE32+ libraries that works as the system does: it maps the
 * sections, then uses offsets in memory only. Written from the PE/COFF
 * specification and not from the writer under test.
 */
import { assert, assertEquals } from "@std/assert";

/** A section header. */
export interface PeSection {
  readonly name: string;
  readonly virtualSize: number;
  readonly virtualAddress: number;
  readonly rawSize: number;
  readonly rawPointer: number;
  readonly characteristics: number;
}

/** A library. */
export class PeReader {
  readonly machine: number;
  readonly characteristics: number;
  readonly entryPoint: number;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly imageSize: number;
  readonly headersSize: number;
  readonly dllCharacteristics: number;
  readonly sections: readonly PeSection[];
  /** Data directories: offset in memory, size. */
  readonly directories: readonly (readonly [number, number])[];
  /** The mapped image. */
  readonly image: DataView;

  constructor(bytes: Uint8Array) {
    const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    assertEquals(String.fromCharCode(bytes[0], bytes[1]), "MZ");
    const signature = file.getUint32(0x3c, true);
    assertEquals(signature % 8, 0);
    assertEquals([...bytes.subarray(signature, signature + 4)], [0x50, 0x45, 0, 0]);
    const coff = signature + 4;
    this.machine = file.getUint16(coff, true);
    const sectionCount = file.getUint16(coff + 2, true);
    const optionalSize = file.getUint16(coff + 16, true);
    this.characteristics = file.getUint16(coff + 18, true);
    const optional = coff + 20;
    assertEquals(file.getUint16(optional, true), 0x20b, "PE32+");
    this.entryPoint = file.getUint32(optional + 16, true);
    this.sectionAlignment = file.getUint32(optional + 32, true);
    this.fileAlignment = file.getUint32(optional + 36, true);
    this.imageSize = file.getUint32(optional + 56, true);
    this.headersSize = file.getUint32(optional + 60, true);
    this.dllCharacteristics = file.getUint16(optional + 70, true);
    const directoryCount = file.getUint32(optional + 108, true);
    assertEquals(optionalSize, 112 + 8 * directoryCount);
    this.directories = Array.from({ length: directoryCount }, (_, index) => {
      const at = optional + 112 + 8 * index;
      return [file.getUint32(at, true), file.getUint32(at + 4, true)] as const;
    });
    this.sections = Array.from({ length: sectionCount }, (_, index) => {
      const at = optional + optionalSize + 40 * index;
      assert(at + 40 <= this.headersSize, "section headers lie in the headers");
      return {
        name: new TextDecoder().decode(bytes.subarray(at, at + 8)).replace(/\0+$/, ""),
        virtualSize: file.getUint32(at + 8, true),
        virtualAddress: file.getUint32(at + 12, true),
        rawSize: file.getUint32(at + 16, true),
        rawPointer: file.getUint32(at + 20, true),
        characteristics: file.getUint32(at + 36, true),
      };
    });
    const image = new Uint8Array(this.imageSize);
    image.set(bytes.subarray(0, this.headersSize));
    for (const { virtualAddress, virtualSize, rawPointer, rawSize } of this.sections) {
      assert(rawPointer + rawSize <= bytes.length, "a section lies in the file");
      image.set(bytes.subarray(rawPointer, rawPointer + Math.min(rawSize, virtualSize)), virtualAddress);
    }
    this.image = new DataView(image.buffer);
  }

  /** The section that contains an offset in memory. */
  sectionAt(at: number): PeSection | undefined {
    return this.sections.find(({ virtualAddress, virtualSize }) =>
      at >= virtualAddress && at < virtualAddress + virtualSize
    );
  }

  /** The string at an offset in memory. */
  text(at: number): string {
    let text = "";
    for (let byte; (byte = this.image.getUint8(at)) !== 0; at++) text += String.fromCharCode(byte);
    return text;
  }

  /** The exported names, in the order of the name pointer table. */
  exportNames(): string[] {
    const [directory] = this.directories[0];
    const count = this.image.getUint32(directory + 24, true);
    const pointers = this.image.getUint32(directory + 32, true);
    return Array.from({ length: count }, (_, i) => this.text(this.image.getUint32(pointers + 4 * i, true)));
  }

  /** Finds an export as the system does, by binary search; its offset in memory. */
  find(name: string): number | undefined {
    const [directory] = this.directories[0];
    const field = (offset: number): number => this.image.getUint32(directory + offset, true);
    let low = 0;
    let high = field(24) - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const candidate = this.text(this.image.getUint32(field(32) + 4 * middle, true));
      if (candidate === name) {
        const ordinal = this.image.getUint16(field(36) + 2 * middle, true);
        assert(ordinal < field(20));
        return this.image.getUint32(field(28) + 4 * ordinal, true);
      }
      if (candidate < name) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** The target of `jmp [rip + displacement]` at an offset in memory. */
  jumpTarget(at: number): bigint {
    assertEquals(this.image.getUint16(at, false), 0xff25, "a jump through a slot");
    const slot = at + 6 + this.image.getInt32(at + 2, true);
    const section = this.sectionAt(slot);
    assert(section !== undefined && slot + 8 <= section.virtualAddress + section.virtualSize);
    assertEquals(slot % 8, 0);
    return this.image.getBigUint64(slot, true);
  }
}
