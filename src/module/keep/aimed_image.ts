/**
 * Aims a candidate at the homes that are kept: its code, constants, GOT and variables lead there from then on. Its
 * pages are writable meanwhile, and nobody may run them; they are never writable and executable at once.
 */

import { type Aim, aimAt } from "../../image/homes/aim.ts";
import type { HomePlaces } from "../../image/homes/places.ts";
import { Ranges } from "../../image/homes/ranges.ts";
import { relocationArch } from "../../image/relocation/mod.ts";
import { relocateTo } from "../../image/relocation/relocate.ts";
import type { Region } from "../../image/arrange.ts";
import type { PlacedImage } from "../../load/loader.ts";
import { Protection } from "../../os/memory/allocator.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { equal } from "../../smf/equal.ts";
import { forEachAddress, writeAddress } from "../image_data.ts";
import { initialBytes } from "./housed.ts";

/** A word of a variable that was changed. */
interface ChangedBytes {
  readonly place: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** A candidate that leads into the homes of earlier versions. */
export class AimedImage {
  readonly #image: PlacedImage;
  readonly #places: HomePlaces;
  readonly #addresses: ReadonlyMap<number, bigint>;
  readonly #changed: ChangedBytes[] = [];
  /** Whether its code cannot run any more, because the system refused to make it executable. */
  isBroken = false;

  /** @param addresses The addresses of the homes that are kept, by their indices. */
  constructor(image: PlacedImage, places: HomePlaces, addresses: ReadonlyMap<number, bigint>) {
    this.#image = image;
    this.#places = places;
    this.#addresses = addresses;
  }

  /**
   * Aims it.
   *
   * @throws {LoadError} `OutOfMemory` if the system refuses a protection; then it leads into its own memory, or is broken.
   */
  aim(): void {
    const image = this.#image, { needs } = image;
    const aim = aimAt(image, this.#places, needs, this.#addresses);
    if (aim.symbols.size > 0) {
      const { memory: { address }, file, plan } = image;
      this.#write(aim, (bytes) => {
        const { constants, slots } = aim;
        relocateTo(bytes, file, plan, needs, address, aim.symbols, { relocations: constants, slots });
        this.#aimVariables(bytes, aim);
      });
    }
    image.homeAddresses = this.#places.homes.map((_, home) => this.#addresses.get(home));
  }

  /**
   * Leads it into its own memory again, as it was before.
   *
   * @throws {LoadError} As {@linkcode AimedImage.aim}.
   */
  undo(): void {
    const image = this.#image, { memory, file, plan, needs } = image;
    const own = new Map<number, bigint>();
    for (const home of this.#addresses.keys()) {
      own.set(home, memory.address + BigInt(this.#places.place(home)));
    }
    const aim = aimAt(image, this.#places, needs, own);
    if (aim.symbols.size > 0) {
      this.#write(aim, (bytes) => {
        const { constants, slots } = aim;
        relocateTo(bytes, file, plan, needs, memory.address, aim.symbols, { relocations: constants, slots });
        for (const { place, before, after } of this.#changed.toReversed()) {
          const now = bytes.subarray(place, place + after.length);
          // Code of the candidate may have stored something else since.
          if (equal(after, now)) now.set(before);
        }
      });
    }
    this.#changed.length = 0;
    image.homeAddresses = undefined;
  }

  /** Changes the image while all of it is writable. */
  #write(aim: Aim, change: (bytes: Uint8Array) => void): void {
    const { allocator, memory, plan } = this.#image;
    const hasConstants = aim.constants.length > 0 || aim.slots.length > 0;
    const regions: (readonly [Region, Protection])[] = [];
    if (hasConstants) {
      regions.push([plan.code, Protection.READ_EXECUTE], [plan.rodata, Protection.READ_ONLY]);
      if (plan.gotRegion !== plan.rodata) regions.push([plan.gotRegion, Protection.READ_ONLY]);
    }
    const opened: (readonly [Region, Protection])[] = [];
    try {
      for (const [region, protection] of regions) {
        if (region.length === 0) continue;
        allocator.protect(memory, Protection.READ_WRITE, region.offset, region.length);
        opened.push([region, protection]);
      }
      change(bytesAt(memory.address, plan.size));
    } finally {
      this.#seal(opened);
    }
  }

  #seal(regions: readonly (readonly [Region, Protection])[]): void {
    const { allocator, memory } = this.#image;
    for (const [{ offset, length }, protection] of regions) {
      if (protection === Protection.READ_EXECUTE) {
        this.isBroken = true;
        allocator.protect(memory, protection, offset, length);
        this.isBroken = false;
        continue;
      }
      try {
        allocator.protect(memory, protection, offset, length);
      } catch {
        // They stay writable, never executable.
      }
    }
  }

  /** Changes the words of variables that are not kept: those that the file names, and those that its code has written. */
  #aimVariables(bytes: Uint8Array, aim: Aim): void {
    const { memory: { address }, file, plan, needs } = this.#image;
    const { widths } = relocationArch(file.header.arch);
    const { relocations } = file;
    const done = new Set<number>();
    for (const index of aim.variables) {
      const width = widths[relocations.type(index)];
      const place = plan.place(relocations.offset(index), width);
      const before = bytes.slice(place, place + width);
      const initial = initialBytes(this.#image, place, width);
      if (initial === undefined || !equal(initial, before)) continue;
      relocateTo(bytes, file, plan, needs, address, aim.symbols, { relocations: [index], slots: [] });
      this.#changed.push({ place, before, after: bytes.slice(place, place + width) });
      done.add(place);
    }
    this.#aimWords(bytes, done);
  }

  #aimWords(bytes: Uint8Array, done: ReadonlySet<number>): void {
    const { memory, plan: { data: { offset, length } } } = this.#image;
    const base = Number(memory.address);
    const homes = new Ranges([...this.#addresses].map(([home, address]) => {
      const first = base + this.#places.place(home);
      return { first, end: first + this.#places.homes[home].size, address: Number(address) };
    }));
    forEachAddress(bytes.subarray(offset, offset + length), offset, homes.all, (value, at) => {
      const place = offset + at, home = homes.find(value);
      if (home === undefined || done.has(place) || homes.find(base + place) !== undefined) return;
      const before = bytes.slice(place, place + 8);
      writeAddress(bytes, place, home.address + (value - home.first));
      this.#changed.push({ place, before, after: bytes.slice(place, place + 8) });
    });
  }
}
