/**
 * Range-extension veneers: code that a branch goes to whose target is out of its reach. A branch of AArch64 reaches
 * 128 MiB, and an image may have 1024.
 *
 * The layout divides code that is larger than a branch reaches into regions, and leaves room behind each: an island,
 * with room for one veneer for each function that the region branches to. Which of them are needed shows only
 * when the addresses are known.
 */
import { RecordSize } from "../os/elf.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { InputSection, Location, OutputSection } from "./input.ts";

/** The largest region: a quarter of what a branch reaches, so that the island is near. */
const REGION = 2 ** 25;

/** Code up to this size needs no veneers: half of what a branch reaches, since stubs and alignment come on top. */
const SMALL = 2 ** 26;

/** Whether branches may not reach all of the code. */
export function needsVeneers(sections: Iterable<InputSection>, arch: LinkArch): boolean {
  if (arch.veneer === undefined) return false;
  let size = 0;
  for (const section of sections) if (section.isCode) size += section.elf.size;
  return size > SMALL;
}

/** The room for veneers behind a region of code. */
interface Island {
  readonly output: OutputSection;
  /** The offset at which the region begins. */
  readonly start: number;
  /** The offset of the room, and of its end. */
  readonly at: number;
  readonly end: number;
  /** The offset of each veneer, by the address of its target. */
  readonly veneers: Map<number, number>;
}

/** The veneers of a module. */
export class Veneers {
  readonly #arch: LinkArch;
  readonly #islands: Island[] = [];

  constructor(arch: LinkArch) {
    this.#arch = arch;
  }

  /** Places input sections in an output section, with islands between them. */
  place(output: OutputSection): void {
    let start = output.size;
    let targets = new Set<string>();
    const close = (): void => {
      const size = targets.size * this.#arch.veneer!.bytes.length;
      if (size > 0) {
        const at = output.reserve(size, 4);
        this.#islands.push({ output, start, at, end: at + size, veneers: new Map() });
      }
      targets = new Set();
      start = output.size;
    };
    for (const section of output.inputs) {
      if (output.size + section.elf.size - start > REGION) close();
      section.offset = output.reserve(section.elf.size, section.elf.alignment);
      this.#addTargets(section, targets);
    }
    close();
  }

  /** Adds everything that the section branches to. */
  #addTargets({ object, elf }: InputSection, targets: Set<string>): void {
    const { view } = object.elf.file;
    for (let i = 0; i < elf.relaCount; i++) {
      const entry = elf.relaOffset + i * RecordSize.RELA;
      if (this.#arch.rules.get(view.getUint32(entry + 8, true))?.use !== "branch") continue;
      const symbol = view.getUint32(entry + 12, true);
      const id = object.globalOf(symbol);
      // Branches to parts of a section differ in their addends.
      targets.add(id === -1 ? `${object.index} ${symbol} ${view.getBigInt64(entry + 16, true)}` : String(id));
    }
  }

  /**
   * Finds the veneer for a branch at an offset of an output section, or makes it.
   *
   * @param make Writes a new veneer, at an offset of the same section.
   * @returns undefined if there is no room for one.
   */
  reach(from: OutputSection, at: number, target: number, make: (at: number) => void): Location | undefined {
    const island = this.#islands.find(({ output, start, end }) => output === from && at >= start && at < end);
    if (island === undefined) return undefined;
    const { length } = this.#arch.veneer!.bytes;
    let offset = island.veneers.get(target);
    if (offset === undefined) {
      offset = island.at + island.veneers.size * length;
      if (offset + length > island.end) return undefined;
      island.veneers.set(target, offset);
      make(offset);
    }
    return { output: from, offset };
  }
}
