// Debug information that a loaded module keeps: read as from the file, and refused where the file is damaged.
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { keepDebug, type KeptDebug, readDebug } from "../../src/smf/kept_debug.ts";
import { readFrom } from "../../src/smf/reader.ts";
import { HAS_ZSTD, zstdTest } from "../support/deno_version.ts";
import { withSection } from "../support/sample_files.ts";
import { unhashed } from "../support/testing.ts";

const CODE = { name: ".text", type: SectionType.Code, bytes: Uint8Array.of(0xc3) };
const debug = (name: string, bytes: Uint8Array, compress = false) => ({
  name,
  type: SectionType.Dwarf,
  alignment: 1,
  bytes,
  compress,
});

function file(...sections: ReturnType<typeof debug>[]): Uint8Array {
  const builder = new SmfBuilder();
  for (const section of [CODE, ...sections]) builder.section(section);
  return builder.build();
}

const keep = (bytes: Uint8Array): KeptDebug | undefined => readFrom(bytes, keepDebug(parseSmf(bytes)));

const INFO = new Uint8Array(300).fill(7), OFFSETS = Uint8Array.of(1, 2, 3, 4);

Deno.test("debug information is kept as a copy of the file's bytes, under the whole names of sections", () => {
  const bytes = file(debug(".debug_info", INFO), debug(".debug_str_offse", OFFSETS));
  const expected = new Map([[".debug_info", INFO], [".debug_str_offsets", OFFSETS]]);
  assertEquals(readFrom(bytes, readDebug(parseSmf(bytes))), { sections: expected, link: undefined });
  const kept = keep(bytes)!;
  bytes.fill(0xff);
  assertEquals(kept.read(), { sections: expected, link: undefined });
  assertEquals(kept.read().sections, expected);
});

zstdTest("compressed debug information is decompressed when it is read", () => {
  const kept = keep(file(debug(".debug_info", INFO, true), debug(".debug_abbrev", OFFSETS)))!;
  assertEquals(kept.stored(".debug_info"), undefined);
  assertEquals(kept.read().sections.get(".debug_info"), INFO);
});

Deno.test("a module without debug information keeps nothing", () => {
  assertStrictEquals(keep(file()), undefined);
});

Deno.test("sections that share bytes are read as the file says", () => {
  const plain = file(debug(".debug_info", INFO), debug(".debug_line", OFFSETS));
  const { offset } = parseSmf(plain).sections[1];
  const bytes = unhashed(withSection(plain, 2, "offset", BigInt(offset)));
  for (const read of [() => keep(bytes)!.read(), () => readFrom(bytes, readDebug(parseSmf(bytes)))]) {
    assertEquals(read().sections.get(".debug_line"), INFO.subarray(0, 4));
    assertEquals(read().sections.get(".debug_info"), INFO);
  }
});

Deno.test("a section that expands beyond reason is refused before it gets memory", () => {
  if (!HAS_ZSTD) return;
  const plain = file(debug(".debug_info", INFO, true));
  for (const size of [2n ** 31n, 2n ** 52n]) {
    const kept = keep(unhashed(withSection(plain, 1, "virtual_size", size)))!;
    const error = assertThrows(() => kept.read(), LoadError, "expands by too much");
    assertEquals(error.kind, "InvalidFormat");
  }
  assert(keep(plain)!.read().sections.has(".debug_info"));
});
