import { assert, assertEquals } from "@std/assert";
import {
  type Field,
  LAYOUTS,
  RELOCATION_FIELDS,
  RELOCATION_SIZE,
  SYMBOL_FIELDS,
} from "../../src/smf/layout.ts";

/** The structures as the writers declare them: fields in order with their sizes; `_` is reserved. */
const COMMON = ["magic:4", "version_major:1", "version_minor:1", "platform:1", "arch:1", "flags:4"];
const COUNTS = ["symbol_count:4", "exported_count:4", "entry_point:8"];
const HINTS = ["app_type:1", "window_width:2", "window_height:2", "prefetch_hint:1", "prefetch_file_count:1"];
const PLAIN = ["section_count:4", "section_table_offset:8", "symbol_table_offset:8"];
const PACKED_FIRST = ["compression:1", "compression_level:1", "_:2", ...PLAIN];
const STUB = ["stub_size:4", "smf_data_offset:4"];
const HASHES = ["module_hash:8", "source_hash:8"];

const H72 = [...COMMON, ...PLAIN, ...COUNTS, ...HASHES, "_:8"];
const H80 = [...COMMON, ...PLAIN, ...COUNTS, ...HASHES, "_:1", "_w:2", "_w:2", "_:3", "_:7"];
const H96 = [...COMMON, ...PACKED_FIRST, ...COUNTS, ...STUB, ...HASHES, ...HINTS, "_:5"];
const P128 = [...COMMON, ...PACKED_FIRST, ...COUNTS, ...STUB, ...HASHES, ...HINTS, "_:5", "_:40"];
const SYMBOL = [
  ...["name_offset:4", "name_hash:4", "sym_type:1", "binding:1", "visibility:1", "flags:1"],
  ...["value:8", "size:8", "type_id:4", "version:4"],
];
const SECTION = ["section_type:1", "flags:4", "offset:8", "size:8", "virtual_size:8"];

/** Computes the offsets of fields as a C compiler does, or packed, and the size of the structure. */
function lay(declared: readonly string[], packed: boolean, alignment = 8): [Record<string, Field>, number] {
  const fields: Record<string, Field> = {};
  let at = 0;
  for (const field of declared) {
    const [name, text] = field.split(":");
    const size = Number(text);
    // Reserved bytes and the magic are arrays of bytes, which are never padded.
    const unit = name === "_" || name === "magic" ? 1 : size;
    if (!packed) at = Math.ceil(at / unit) * unit;
    if (!name.startsWith("_") && name !== "magic") fields[name] = [at, size as Field[1]];
    at += size;
  }
  return [fields, packed ? at : Math.ceil(at / alignment) * alignment];
}

Deno.test("header tables match a C compiler's layout of the writers' structures", () => {
  assertEquals(lay(H72, false), [{ ...LAYOUTS.H72.header.fields } as Record<string, Field>, 72]);
  assertEquals(lay(H80, false), [{ ...LAYOUTS.H80.header.fields } as Record<string, Field>, 80]);
  assertEquals(lay(H96, false), [{ ...LAYOUTS.H96.header.fields } as Record<string, Field>, 96]);
  assertEquals(LAYOUTS["H96-trailer"].header, LAYOUTS.H96.header);
  assertEquals(lay(P128, true), [{ ...LAYOUTS.P128.header.fields } as Record<string, Field>, 128]);
});

Deno.test("record tables match a C compiler's layout of the writers' structures", () => {
  const [section, end] = lay([...SECTION, "alignment:8"], false);
  assertEquals([section, end], [{ ...LAYOUTS.H96.section.fields }, LAYOUTS.H96.section.name]);
  assertEquals(LAYOUTS.H96.section.size, end + 16);
  const [packed] = lay(["section_type:1", "_:3", ...SECTION.slice(1), "alignment:4"], true);
  assertEquals(packed, { ...LAYOUTS.P128.section.fields });
  assertEquals(LAYOUTS.P128.section.name, 36);

  assertEquals(lay([...SYMBOL, "template_param_count:1", "_:3", "template_offset:8"], false), [
    { ...SYMBOL_FIELDS },
    56,
  ]);
  assertEquals(lay(SYMBOL, false)[1], 40);
  assertEquals(lay(["offset:8", "symbol_index:4", "reloc_type:1", "addend:8"], false), [
    { ...RELOCATION_FIELDS },
    RELOCATION_SIZE,
  ]);
});

Deno.test("the mark of this package's files is outside all fields", () => {
  for (const { header } of Object.values(LAYOUTS)) {
    assert(header.mark + 5 <= header.size);
    for (const field of Object.values(header.fields)) {
      assert(field !== undefined && (field[0] + field[1] <= header.mark || field[0] >= header.mark + 5));
    }
  }
});
