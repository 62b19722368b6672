/**
 * Aims a candidate at the homes that are kept: its code, constants, GOT and variables lead there from then on. Its
 * pages are writable meanwhile, and nobody may run them; they are never writable and executable at once.
 */

import { type Aim, aimAt, type AimedHomes } from "../../image/homes/aim.ts";
import type { HomePlaces } from "../../image/homes/places.ts";
import { HomesInRange } from "../../image/homes/homes_in_range.ts";
import { relocationArch } from "../../image/relocation/mod.ts";
import { relocatorTo } from "../../image/relocation/relocate.ts";
import { isInside, type Region } from "../../image/arrange.ts";
import type { PlacedImage } from "../../load/loader.ts";
import type { ThreadLocalBytes } from "../../load/thread_locals.ts";
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
  readonly #addresses: AimedHomes;
  readonly #aim: Aim;
  readonly #threadLocals: readonly ThreadLocalBytes[];
  readonly #replaced: ThreadLocalBytes[] = [];
  readonly #changed: ChangedBytes[] = [];
  /** Whether its code cannot run any more, because the system refused to make it executable. */
  isBroken = false;

  /**
   * @param aim What leads to the homes that are kept.
   * @param threadLocals The bytes that lead to TLS blocks which are kept.
   */
  constructor(
    image: PlacedImage,
    places: HomePlaces,
    addresses: AimedHomes,
    aim: Aim,
    threadLocals: readonly ThreadLocalBytes[] = [],
  ) {
    this.#aim = aim;
    this.#threadLocals = threadLocals;
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
    const image = this.#image, aim = this.#aim, { needs } = image;
    if (aim.symbols.length > 0 || this.#threadLocals.length > 0) {
      const { memory: { address }, file, plan } = image;
      this.#write(aim, (bytes) => {
        for (const { place, bytes: now } of this.#threadLocals) {
          this.#replaced.push({ place, bytes: bytes.slice(place, place + now.length) });
          bytes.set(now, place);
        }
        const { constants, slots } = aim;
        const relocate = relocatorTo(bytes, file, plan, needs, address, aim);
        relocate({ relocations: constants, slots });
        this.#aimVariables(bytes, aim, relocate);
      });
    }
    image.homeAddresses = Array.from(
      this.#addresses,
      (address) => address === 0 ? undefined : BigInt(address),
    );
  }

  /**
   * Leads it into its own memory again, as it was before.
   *
   * @throws {LoadError} As {@linkcode AimedImage.aim}.
   */
  undo(): void {
    const image = this.#image, { memory, file, plan, needs } = image;
    const base = Number(memory.address);
    const own = this.#addresses.map((address, home) => address === 0 ? 0 : base + this.#places.place(home));
    const aim = aimAt(image, this.#places, needs, own);
    if (aim.symbols.length > 0 || this.#replaced.length > 0) {
      this.#write(aim, (bytes) => {
        for (const { place, bytes: before } of this.#replaced) bytes.set(before, place);
        const { constants, slots } = aim;
        relocatorTo(bytes, file, plan, needs, memory.address, aim)({ relocations: constants, slots });
        for (const { place, before, after } of this.#changed.toReversed()) {
          const now = bytes.subarray(place, place + after.length);
          // Code of the candidate may have stored something else since.
          if (equal(after, now)) now.set(before);
        }
      });
    }
    this.#changed.length = 0;
    this.#replaced.length = 0;
    image.homeAddresses = undefined;
  }

  /** Changes the image while all of it is writable. */
  #write(aim: Aim, change: (bytes: Uint8Array) => void): void {
    const { allocator, memory, plan, file } = this.#image;
    const isIn = (region: Region): boolean =>
      aim.constants.some((index) => isInside(region, plan.place(file.relocations.offset(index), 0))) ||
      this.#threadLocals.some(({ place }) => isInside(region, place));
    const regions: (readonly [Region, Protection])[] = [];
    if (isIn(plan.code)) regions.push([plan.code, Protection.READ_EXECUTE]);
    const hasSlots = aim.slots.length > 0;
    if ((hasSlots && plan.gotRegion === plan.rodata) || isIn(plan.rodata)) {
      regions.push([plan.rodata, Protection.READ_ONLY]);
    }
    if (hasSlots && plan.gotRegion !== plan.rodata) regions.push([plan.gotRegion, Protection.READ_ONLY]);
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
  #aimVariables(bytes: Uint8Array, aim: Aim, relocate: ReturnType<typeof relocatorTo>): void {
    const { file, plan } = this.#image;
    const { widths } = relocationArch(file.header.arch);
    const { relocations } = file;
    const done = new Set<number>();
    for (const index of aim.variables) {
      const width = widths[relocations.type(index)];
      const place = plan.place(relocations.offset(index), width);
      const before = bytes.slice(place, place + width);
      const initial = initialBytes(this.#image, place, width);
      if (initial === undefined || !equal(initial, before)) continue;
      relocate({ relocations: [index], slots: [] });
      this.#changed.push({ place, before, after: bytes.slice(place, place + width) });
      done.add(place);
    }
    this.#aimWords(bytes, done);
  }

  #aimWords(bytes: Uint8Array, done: ReadonlySet<number>): void {
    const { memory, plan: { size, data: { offset, length } } } = this.#image;
    const base = Number(memory.address);
    const homes = new HomesInRange(this.#places), addresses = this.#addresses;
    const isKept = (home: number): boolean => home >= 0 && addresses[home] !== 0;
    const all = { first: base, end: base + size };
    forEachAddress(bytes.subarray(offset, offset + length), offset, all, (value, at) => {
      const place = offset + at, home = homes.at(value - base);
      if (!isKept(home) || isKept(homes.at(place)) || done.has(place)) return;
      const before = bytes.slice(place, place + 8);
      writeAddress(bytes, place, addresses[home] + (value - base - homes.starts[home]));
      this.#changed.push({ place, before, after: bytes.slice(place, place + 8) });
    });
  }
}
