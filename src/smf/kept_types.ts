/**
 * The section of types as a loaded module keeps it: its bytes as they are in the file, which nobody
 * decodes before somebody asks. The file itself may have changed by then.
 */

import { inFile } from "../errors/load_error.ts";
import { SectionType } from "./enums.ts";
import { MAX_TYPES_SIZE } from "./limits.ts";
import type { SmfFile } from "./file.ts";
import type { KnownTypes } from "../types/decode.ts";
import type { Reading } from "./reader.ts";
import { contentLength, type SmfSection } from "./section.ts";
import { decodedOf, type ModuleTypes, readTypes, TYPES_SECTION } from "./types.ts";

/** The types of a module as other isolates get them. */
export interface TypeFacts {
  /** The sections of types: one, or more in a damaged file. */
  readonly sections: readonly SmfSection[];
  /** The bytes of the only section, as in the file; undefined if the sections cannot be used. */
  readonly bytes: Uint8Array | undefined;
}

/** The types of a module, decoded when they are first asked for. */
export class KeptTypes {
  /** The sections, and their bytes. */
  readonly facts: TypeFacts;
  #types: ModuleTypes | undefined;
  #like: WeakRef<KeptTypes> | undefined;

  /** Wraps what {@linkcode keepTypes} has read, in this isolate or another. */
  constructor(facts: TypeFacts) {
    this.facts = facts;
  }

  /** Names the types of another version, which are taken if the bytes are the same once these are decoded. */
  set like(other: KeptTypes) {
    if (other !== this) this.#like = new WeakRef(other);
  }

  /**
   * Decodes the types, once.
   *
   * @param path The module's path, for errors.
   * @throws {LoadError} `InvalidFormat` if the section is damaged.
   */
  read(path: string): ModuleTypes {
    return this.#types ??= inFile(path, () => this.#decode());
  }

  /** Lets go of what was decoded, which mostly nobody asks for again; {@linkcode KeptTypes.read} decodes it again. */
  forget(): void {
    this.#types = undefined;
  }

  get #known(): KnownTypes | undefined {
    const { sections: [{ compressed }], bytes } = this.facts;
    const types = this.#types;
    if (types === undefined || bytes === undefined || compressed) return undefined;
    return { decoded: decodedOf(types), bytes };
  }

  #decode(): ModuleTypes {
    const like = this.#like?.deref();
    const reading = readTypes(this.facts.sections, like && like.#known);
    let step = reading.next();
    while (!step.done) {
      // Sections that were too large to be kept are refused before their bytes are asked for.
      const bytes = this.facts.bytes!;
      step.value.into?.set(bytes);
      step = reading.next(step.value.into ?? bytes);
    }
    return step.value!;
  }
}

/** Reads the bytes of the section of types without decoding them; undefined if the file has none. */
export function* keepTypes({ sections, checksum }: SmfFile): Reading<KeptTypes | undefined> {
  const found = sections.filter(isTypes);
  if (found.length === 0) return undefined;
  const [section] = found;
  const { offset, size } = section;
  const isUsable = found.length === 1 && size <= MAX_TYPES_SIZE && contentLength(section) <= MAX_TYPES_SIZE;
  if (!isUsable) return new KeptTypes({ sections: found, bytes: undefined });
  const bytes = size > 0 ? yield { offset, length: size } : new Uint8Array(0);
  checksum?.section(section, bytes);
  // A small file is read as a whole: a view of it would keep all of it.
  return new KeptTypes({ sections: found, bytes: bytes.slice() });
}

function isTypes({ type, name }: SmfSection): boolean {
  return type === SectionType.TypeInfo && name === TYPES_SECTION;
}
