// Virtual tables hold the addresses of code; other words hold canonical addresses.
import { assertEquals } from "@std/assert";
import { SymbolKind, SymbolVisibility } from "../../src/os/elf.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import { addFunction, DATA, ElfWriter, link } from "../support/objects.ts";
import { R } from "../support/relocation_objects.ts";

Deno.test("words of virtual tables lead to code, those between and behind them to the exported function", () => {
  const writer = new ElfWriter();
  const code = addFunction(writer, "_ZN1A1fEv", new Uint8Array(16));
  const method = writer.symbol({ name: "_ZN1A1gEv", section: code, value: 8, kind: SymbolKind.FUNC });
  const bytes = new Uint8Array(64);
  const section = writer.section({ name: ".data.rel.ro", flags: DATA, bytes, alignment: 8 });
  const table = (
    name: string,
    value: number,
    size: number,
    visibility: number = SymbolVisibility.DEFAULT,
  ): void => {
    writer.symbol({ name, section, value, size, kind: SymbolKind.OBJECT, visibility });
  };
  // Out of order, as compilers write them.
  table("_ZTC1B0_1A", 40, 16);
  table("table", 32, 8);
  table("_ZTV1A", 8, 24, SymbolVisibility.HIDDEN);
  table("_ZTS1A", 56, 8);
  for (let offset = 0; offset < 64; offset += 8) {
    writer.relocation(section, { offset, symbol: method, type: R[64] });
  }
  const module = link(writer.build());
  const start = module.at("table") - 32;
  assertEquals(
    module.relocations().filter(({ type }) => type === RelocationType.Abs64)
      .map(({ offset, symbol }) => [offset - start, symbol === "_ZN1A1gEv"]),
    [[0, true], [8, false], [16, false], [24, false], [32, true], [40, false], [48, false], [56, true]],
  );
  for (let offset = 0; offset < 64; offset += 8) {
    assertEquals(module.target(start + offset), module.at("_ZN1A1gEv"));
  }
});
