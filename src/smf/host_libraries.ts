/**
 * The host libraries that a module needs, beside the C library: a section of the
 * type `HostLibraries` with their names in UTF-8, each with a NUL behind it.
 * Readers that do not know the type skip the section.
 */

import { LoadError } from "../errors/load_error.ts";
import { readContents } from "./contents.ts";
import { SectionType } from "./enums.ts";
import type { Reading } from "./reader.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";

/** The name of the section. */
export const HOST_LIBRARIES_SECTION = ".libraries";

/** More bytes than names of libraries ever take. */
const LARGEST = 65_536;

/** The bytes of the section for these names. */
export function hostLibrariesBytes(names: readonly string[]): Uint8Array<ArrayBuffer> {
  for (const name of names) {
    if (name !== "" && !name.includes("\0")) continue;
    throw new TypeError(
      `Cannot record host library ${JSON.stringify(name)}: the name is empty or contains a NUL`,
    );
  }
  const text = names.map((name) => `${name}\0`).join("");
  // The types of Deno 2.4 do not say what kind of buffer it is.
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}

/**
 * Reads the names, each once, in order.
 *
 * @throws {LoadError} `InvalidFormat` if a section holds something else.
 */
export function* readHostLibraries(sections: readonly SmfSection[]): Reading<string[]> {
  const names = new Set<string>();
  for (const section of sections) {
    if (section.type !== SectionType.HostLibraries) continue;
    const length = contentLength(section);
    const refuse = (problem: string): LoadError =>
      new LoadError("InvalidFormat", `Cannot read host libraries: ${problem}`, {
        section: sectionLabel(section),
        offset: section.offset,
      });
    if (length > LARGEST) throw refuse("the section is too large");
    const bytes = new Uint8Array(length);
    yield* readContents(section, bytes, undefined);
    if (length > 0 && bytes[length - 1] !== 0) throw refuse("the last name has no end");
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw refuse("a name is not UTF-8");
    }
    for (const name of text.split("\0").slice(0, -1)) {
      if (name === "") throw refuse("a name is empty");
      names.add(name);
    }
  }
  return [...names];
}
