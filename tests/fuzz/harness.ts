/**
 * The fuzzing harness: reads, places, maps and relocates a file by the loader's
 * own steps, then has it judged, and never calls it. It counts the bytes that
 * are read, and frees everything.
 */
import { LoadError } from "../../src/errors/load_error.ts";
import { planImage } from "../../src/image/plan.ts";
import type { FoundImport, ImportSource } from "../../src/load/imports/resolve.ts";
import { type LoadedImage, loadSteps } from "../../src/load/loader.ts";
import type { ExecutableMemory } from "../../src/os/memory/allocator.ts";
import { ModuleRegistry } from "../../src/registry/registry.ts";
import { relocate } from "../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../src/image/relocation/scan.ts";
import { readHostLibraries } from "../../src/smf/host_libraries.ts";
import { verifyModuleHash } from "../../src/smf/checksum.ts";
import { readSection } from "../../src/smf/contents.ts";
import { readSmf } from "../../src/smf/file.ts";
import { readEntries } from "../../src/smf/entries.ts";
import { readHomes } from "../../src/smf/homes.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import { readFrom, type ReadRequest } from "../../src/smf/reader.ts";
import { CHECK_UNCHANGED } from "../../src/load/file/reading.ts";
import { planThreadLocals } from "../../src/image/relocation/thread_locals.ts";
import { addModule } from "../support/testing.ts";
import type { Claim } from "./claim.ts";
import { CountingAllocator } from "./counting_allocator.ts";
import { DIALECTS } from "./dialects.ts";
import { fnv1a, Refusal } from "./format.ts";
import { judge, judgeFile } from "./oracle.ts";
import { featuresOf, Finding, NOT_JUDGED, type Outcome, sentenceOf } from "./outcome.ts";

/** The largest image that is tried in plain memory, for other systems than this one. */
const MAX_PLAIN_IMAGE = 2 ** 22;

const encoder = new TextEncoder();

/** Tries files: loads each, checks the result, and frees it. */
export class Harness implements ImportSource, Disposable {
  /** Counts of bytes read, of bytes of files, and of files refused. */
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

  /** The address of a name, always the same: none, near, far away, or at the end of the address space. */
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
    return address === undefined ? undefined : { address, from: "the harness" };
  }

  /** Tries a file. Throws a {@linkcode Finding}, or any error of the loader's that is not a `LoadError`. */
  try(bytes: Uint8Array): Outcome {
    const before = this.#allocator.live;
    if (this.#hasIfuncs(bytes)) return this.#tryInPlainMemory(bytes);
    let image: LoadedImage;
    try {
      image = this.#load(bytes);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      if (this.#allocator.live !== before) throw new Finding("a refused file that left memory behind");
      if (error.kind.startsWith("Incompatible")) return this.#tryInPlainMemory(bytes);
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

  /** Whether loading would run ifunc resolvers: no code of a mutant may run. */
  #hasIfuncs(bytes: Uint8Array): boolean {
    try {
      const { relocations } = readFrom(bytes, readSmf(bytes.length));
      for (let i = 0; i < relocations.length; i++) {
        if (relocations.type(i) === RelocationType.Indirect64) return true;
      }
    } catch {
      // Loading fails before it gets that far.
    }
    return false;
  }

  #load(bytes: Uint8Array): LoadedImage {
    const context = { allocator: this.#allocator, sources: [this], description: "the file" };
    return this.#drive(bytes, loadSteps(context)(bytes.length));
  }

  /** Runs steps and counts their reads, which the file's size must bound. */
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

  /** Tries a file for another system, in plain memory that stands for an image elsewhere. */
  #tryInPlainMemory(bytes: Uint8Array): Outcome {
    try {
      const file = this.#drive(bytes, readSmf(bytes.length));
      this.#drive(bytes, readHomes(file));
      this.#drive(bytes, readEntries(file));
      const needs = scanRelocations(file);
      const plan = planImage(file, 4096, { got: needs.gotCount, plt: needs.pltCount });
      planThreadLocals(file, plan, needs);
      if (file.header.arch > 1 || plan.size > MAX_PLAIN_IMAGE) {
        return { loaded: false, features: ["not tried in plain memory"], judged: 0 };
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
      this.#drive(bytes, readHostLibraries(file.sections));
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
      return { loaded: false, features: [`plain: ${sentenceOf(error)}`], judged: 0 };
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

  /** Checks that a file refused as malformed is malformed, and that loaded modules go on working. */
  #checkRefusal(bytes: Uint8Array, error: LoadError): void {
    if (error.kind === "InvalidFormat" && !NOT_JUDGED.test(error.message)) {
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
    // A file whose relocations depend on addresses, or that needs a name of the C library, might load
    // here, and then its initialisers would run.
    if (["RelocationFailed", "UndefinedSymbol"].includes(error.kind) || this.work.refused++ % 64 !== 0) {
      return;
    }
    let again: unknown;
    try {
      this.#registry.loadBytes("bad", bytes);
    } catch (caught) {
      again = caught;
    }
    if (!(again instanceof LoadError && again.kind === error.kind)) {
      if (again === undefined) this.#registry.unload("bad");
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

/** The loader's account of an image; `plain` has its bytes if they are in plain memory. */
function claimOf(
  { file, plan, memory, pageSize }: Pick<LoadedImage, "file" | "plan" | "memory" | "pageSize">,
  addressOf: (name: string) => bigint,
  plain?: Uint8Array,
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
    hasThreads: plain === undefined,
    read: plain === undefined
      ? memoryReader(memory)
      : (offset, length) => plain.slice(offset, offset + length),
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
