/**
 * One file tried: read, placed, mapped and relocated by the loader's own steps,
 * then judged, and never called. What went in is counted, what came out freed.
 */
import { LoadError } from "../../src/errors.ts";
import { planImage } from "../../src/image/plan.ts";
import type { FoundImport, ImportSource } from "../../src/load/imports/resolve.ts";
import { type LoadedImage, loadSteps } from "../../src/load/loader.ts";
import {
  type ExecutableMemory,
  type MemoryAllocator,
  platformAllocator,
  type Protection,
} from "../../src/os/memory/allocator.ts";
import { ModuleRegistry } from "../../src/registry/registry.ts";
import { relocate } from "../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../src/image/relocation/scan.ts";
import { readSection, readSmf, verifyModuleHash } from "../../src/smf/file.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import { readFrom, type ReadRequest } from "../../src/smf/reader.ts";
import { CHECK_UNCHANGED } from "../../src/load/file/reading.ts";
import { planThreadLocals } from "../../src/image/relocation/thread_locals.ts";
import { addModule } from "../support/testing.ts";
import { DIALECTS, fnv1a, type Module, Refusal } from "./format.ts";
import { type Claim, judge, judgeFile } from "./oracle.ts";

/** Something that a loader must never do. */
export class Finding extends Error {}

/** What became of a file. */
export interface Outcome {
  readonly loaded: boolean;
  /** What can be told of the way that the file took: the sentence of its error, or what it has that was loaded. */
  readonly features: readonly string[];
  /** Relocations that were computed a second time. */
  readonly judged: number;
}

/** No image is larger, however it is aligned. */
const MOST_MEMORY = 2 ** 30 + 2 ** 26;
/** The largest image that is made in plain memory, for systems that this is not. */
const MOST_PAPER = 2 ** 22;

/** The platform's memory, with a count of what is live. */
class CountingAllocator implements MemoryAllocator {
  live = 0;
  readonly #inner = platformAllocator();

  get pageSize(): number {
    return this.#inner.pageSize;
  }

  allocate(size: number, alignment: number, near?: bigint): ExecutableMemory {
    if (size > MOST_MEMORY) throw new Finding(`${size} bytes of memory for one module`);
    const memory = this.#inner.allocate(size, alignment, near);
    this.live++;
    return memory;
  }

  protect(memory: ExecutableMemory, protection: Protection, offset?: number, length?: number): void {
    this.#inner.protect(memory, protection, offset, length);
  }

  view(memory: ExecutableMemory, offset?: number, length?: number): Uint8Array<ArrayBuffer> {
    return this.#inner.view(memory, offset, length);
  }

  free(memory: ExecutableMemory): void {
    this.#inner.free(memory);
    this.live--;
  }

  retain(): Disposable {
    return this.#inner.retain?.() ?? { [Symbol.dispose]: () => {} };
  }
}

const encoder = new TextEncoder();

/** Where files are tried. */
export class Bench implements ImportSource, Disposable {
  /** How many bytes were read, for how many bytes of files. */
  readonly work = { read: 0, size: 0, refused: 0 };
  readonly #allocator = new CountingAllocator();
  readonly #library = this.#allocator.retain();
  readonly #near: ExecutableMemory;
  readonly #registry: ModuleRegistry;
  readonly #good: (a: bigint, b: bigint) => bigint;

  constructor() {
    this.#near = this.#allocator.allocate(1, 1);
    this.#registry = new ModuleRegistry({ resolver: (name) => this.#answer(name) ?? null });
    const add = { parameters: ["i64", "i64"], result: "i64" } as const;
    this.#good = this.#registry.loadBytes("good", addModule()).bind({ add }).symbols.add;
  }

  /** The same name has the same answer: nobody, somewhere near, far away, or at the end of all addresses. */
  #answer(name: string): bigint | undefined {
    const hash = fnv1a(encoder.encode(name));
    switch (hash % 16) {
      case 6:
        return undefined;
      case 1:
        return 0xffff_ffff_ffff_0000n + BigInt(hash % 0x4000) * 4n;
      case 2:
      case 8:
        return 0x2000_0000_0000n + BigInt(hash) * 4n;
      default:
        return this.#near.address + BigInt(hash % 1024) * 4n;
    }
  }

  find(name: string): FoundImport | undefined {
    const address = this.#answer(name);
    return address === undefined ? undefined : { address, from: "the bench" };
  }

  /** Tries a file. Throws a {@linkcode Finding}, or whatever the loader threw that is no `LoadError`. */
  try(bytes: Uint8Array): Outcome {
    const before = this.#allocator.live;
    if (this.#asksItself(bytes)) return this.#tryOnPaper(bytes);
    let image: LoadedImage;
    try {
      image = this.#load(bytes);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      if (this.#allocator.live !== before) throw new Finding("a refused file that left memory behind");
      if (error.kind.startsWith("Incompatible")) return this.#tryOnPaper(bytes);
      this.#checkRefusal(bytes, error);
      return { loaded: false, features: [sentenceOf(error)], judged: 0 };
    }
    let outcome: Outcome;
    try {
      outcome = this.#judge(bytes, claimOf(image, (name) => this.#answer(name) ?? 0n));
    } finally {
      image[Symbol.dispose]();
    }
    if (this.#allocator.live !== before) throw new Finding("a freed image that left memory behind");
    return outcome;
  }

  /** Whether loading would call functions of the module, which no mutant's may be. */
  #asksItself(bytes: Uint8Array): boolean {
    try {
      const { relocations } = readFrom(bytes, readSmf(bytes.length));
      for (let i = 0; i < relocations.length; i++) {
        if (relocations.type(i) === RelocationType.Indirect64) return true;
      }
    } catch {
      // It will not get so far.
    }
    return false;
  }

  #load(bytes: Uint8Array): LoadedImage {
    const context = { allocator: this.#allocator, sources: [this], description: "the file" };
    return this.#drive(bytes, loadSteps(context)(bytes.length));
  }

  /** Gives steps what they ask for, and counts it: work is bounded by the file's size. */
  #drive<T>(bytes: Uint8Array, steps: Generator<ReadRequest | typeof CHECK_UNCHANGED, T, Uint8Array>): T {
    const mostRead = 8 * bytes.length + 1024, mostSteps = bytes.length / 8 + 64;
    let read = 0, count = 0;
    let given = bytes;
    let step = steps.next(given);
    while (!step.done) {
      if (step.value !== CHECK_UNCHANGED) {
        const { offset, length, into } = step.value;
        if (!(offset >= 0 && offset + length <= bytes.length)) {
          throw new Finding(`a read of ${length} bytes at ${offset}, outside the file`);
        }
        if (into !== undefined && into.length !== length) {
          throw new Finding(`a read of ${length} bytes into ${into.length}`);
        }
        given = into ?? new Uint8Array(length);
        given.set(bytes.subarray(offset, offset + length));
        read += length;
        if (read > mostRead || ++count > mostSteps) throw new Finding(`${count} reads of ${read} bytes`);
      }
      step = steps.next(given);
    }
    this.work.read += read;
    this.work.size += bytes.length;
    return step.value;
  }

  /** As {@linkcode Bench.try}, for another system: in plain memory, as if that were elsewhere. */
  #tryOnPaper(bytes: Uint8Array): Outcome {
    try {
      const file = this.#drive(bytes, readSmf(bytes.length));
      const needs = scanRelocations(file);
      const plan = planImage(file, 4096, { got: needs.gotCount, plt: needs.pltCount });
      planThreadLocals(file, plan, needs);
      if (file.header.arch > 1 || plan.size > MOST_PAPER) {
        return { loaded: false, features: ["not on paper"], judged: 0 };
      }
      const image = new Uint8Array(plan.size);
      const sections = function* () {
        for (const { section, offset } of plan.sections) {
          if (section.size === 0 && !section.compressed) continue;
          yield* readSection(file, section, image.subarray(offset, offset + section.virtualSize));
        }
        yield* verifyModuleHash(file);
      };
      this.#drive(bytes, sections());
      const answers = needs.imports.map((symbol) => this.#answer(file.symbols.name(symbol)) ?? 0n);
      // Near what it imports, as if it had been mapped.
      const near = this.#near.address + 0x400_0000n;
      const base = near - near % BigInt(plan.alignment);
      relocate(image, file, plan, needs, { base, imports: BigUint64Array.from(answers) });
      const memory = { address: base, size: plan.size };
      const claim = claimOf(
        { file, plan, memory, pageSize: 4096 },
        (name) => this.#answer(name) ?? 0n,
        image,
      );
      return this.#judge(bytes, claim);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      return { loaded: false, features: [`paper: ${sentenceOf(error)}`], judged: 0 };
    }
  }

  #judge(bytes: Uint8Array, claim: Claim): Outcome {
    try {
      const { module, judged } = judge(bytes, claim);
      return { loaded: true, features: featuresOf(claim.layout, module), judged };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Finding(`a file that loads, though it has or has become ${error.message}`, { cause: error });
    }
  }

  /** What was refused as malformed must be malformed, and what runs must go on. */
  #checkRefusal(bytes: Uint8Array, error: LoadError): void {
    if (error.kind === "InvalidFormat" && !error.message.includes("more than one fits")) {
      const fit = Object.keys(DIALECTS).find((dialect) => {
        try {
          judgeFile(bytes, dialect);
          return true;
        } catch (refusal) {
          if (!(refusal instanceof Refusal)) throw refusal;
          return false;
        }
      });
      if (fit !== undefined) throw new Finding(`a well-formed ${fit} file that is refused: ${error.message}`);
    }
    // What depends on addresses might load here, and then its initialisers would run.
    if (error.kind === "RelocationFailed" || this.work.refused++ % 64 !== 0) return;
    let again: unknown;
    try {
      this.#registry.loadBytes("bad", bytes);
    } catch (caught) {
      again = caught;
    }
    if (!(again instanceof LoadError && again.kind === error.kind)) {
      throw new Finding(`one way refuses with ${error.kind}, another with ${again}`);
    }
    if (this.#registry.modules().length !== 1 || this.#good(20n, 22n) !== 42n) {
      throw new Finding("a refused file that changed what was loaded");
    }
  }

  [Symbol.dispose](): void {
    this.#allocator.free(this.#near);
    this.#registry[Symbol.dispose]();
    this.#library[Symbol.dispose]();
    if (this.#allocator.live !== 0) throw new Finding(`${this.#allocator.live} mappings left`);
  }
}

/** What the loader says of an image. */
function claimOf(
  { file, plan, memory, pageSize }: Pick<LoadedImage, "file" | "plan" | "memory" | "pageSize">,
  addressOf: (name: string) => bigint,
  paper?: Uint8Array,
): Claim {
  const { code, rodata, data, gotRegion } = plan;
  const places = new Map(plan.sections.map(({ section, offset }) => [section.index, offset]));
  const layout = file.header.layout;
  return {
    layout,
    base: memory.address,
    size: plan.size,
    pageSize,
    places,
    code,
    rodata,
    data,
    gotRegion,
    hasThreads: paper === undefined,
    read: paper === undefined
      ? memoryReader(memory)
      : (offset, length) => paper.slice(offset, offset + length),
    addressOf,
  };
}

function memoryReader({ address, size }: ExecutableMemory): Claim["read"] {
  const view = new Deno.UnsafePointerView(Deno.UnsafePointer.create(address)!);
  return (offset, length) => {
    if (offset < 0 || offset + length > size) throw new Refusal("something outside its range");
    const bytes = new Uint8Array(length);
    if (length > 0) view.copyInto(bytes, offset);
    return bytes;
  };
}

/** What a loaded module has, each thing in a word. */
function featuresOf(layout: string, { arch, flags, sections, symbols, relocations }: Module): string[] {
  const kind = ({ type, binding, defined }: Module["symbols"][number]) =>
    `${defined ? "defined" : "imported"} ${type}, binding ${binding}`;
  return [
    ...new Set([
      `layout ${layout}, arch ${arch}`,
      `flags ${flags}`,
      ...sections.map(({ type, flags }) =>
        `layout ${layout}, section ${Math.min(type, 17)}, flags ${flags % 16}`
      ),
      ...symbols.map((symbol) => `layout ${layout}, symbol ${kind(symbol)}`),
      ...relocations.map(({ type, symbol }) =>
        `arch ${arch}, relocation ${type} of ${kind(symbols[symbol])}`
      ),
    ]),
  ];
}

/** An error without what differs from file to file. */
export function sentenceOf(error: LoadError): string {
  return `${error.kind}: ${
    error.message.replace(/ \((file|section|symbol|offset|value|allowed|size) .*$/s, "")
  }`
    .replace(/'[^']*'(, '[^']*')*/g, "'…'").replace(/\d+/g, "#").slice(0, 160);
}
