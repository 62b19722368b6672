/** Files whose symbols have only names. */
import { rawFile } from "../../fixtures/raw.ts";
import { Binding } from "../../src/smf/enums.ts";
import { parseSmf, type SmfFile } from "../../src/smf/file.ts";

/** A file with these local functions, or data where the name begins with `d`. */
export function localSymbols(names: readonly string[]): SmfFile {
  const bytes = new Uint8Array(16).fill(0xc3);
  return parseSmf(rawFile({
    layout: "H96",
    sections: [{ name: "code", section_type: 1, flags: 5, alignment: 1, bytes }],
    symbols: names.map((name) => ({
      name,
      sym_type: name.startsWith("d") ? 2 : 1,
      binding: Binding.Local,
      value: 1,
    })),
    header: { exported_count: 0 },
  }));
}
