// References of code to variables, directly and through slots of the module's own GOT.
import { assertEquals } from "@std/assert";
import { planImage } from "../../src/image/plan.ts";
import { VariableReferences } from "../../src/image/variable_references.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { Binding, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { hostBuilder } from "../support/testing.ts";

/** Code at 0 with three loads, a GOT at 4096 and variables at 8192 in the file's image. */
function referencesOf(gotName: string): (readonly [from: number, target: number])[] {
  const builder = hostBuilder();
  const code = new Uint8Array(64).fill(0x90);
  const distances = [[8, 8192 + 4], [24, 4096], [40, 4096 + 8]] as const;
  for (const [at, target] of distances) {
    code.set([0x48, 0x8b, 0x05], at - 3); // mov rax, [rip+d]
    new DataView(code.buffer).setInt32(at, target - at - 4, true);
  }
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.section({ name: gotName, type: SectionType.RoData, bytes: new Uint8Array(16) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(64) });
  const home = builder.symbol({ name: "v", type: SymbolType.Data, binding: Binding.Local, value: 8192 });
  const imported = builder.symbol({ name: "far", type: SymbolType.Data, defined: false });
  builder.relocation({ offset: 4096, symbol: home, type: RelocationType.Abs64, addend: 16 });
  builder.relocation({ offset: 4104, symbol: imported, type: RelocationType.Abs64 });
  const file = parseSmf(builder.build());
  const plan = planImage(file, 4096, { got: 0, plt: 0 });
  const { code: { offset }, data } = plan;
  const found: (readonly [number, number])[] = [];
  // The groups are moved apart, each as a whole.
  const [toCode, toData] = [offset, data.offset - 8192];
  const bytes = code.slice();
  for (const [at, target] of distances) {
    const place = plan.place(target, 4) - plan.place(at, 4) - 4;
    new DataView(bytes.buffer).setInt32(at, place, true);
  }
  new VariableReferences({ file, plan }).forEach(
    { offset, bytes },
    data.offset,
    data.offset + data.length,
    (from, target) => found.push([from - toCode, target - toData]),
  );
  return found;
}

Deno.test("references are found directly, and through the slots of the module's own GOT", () => {
  assertEquals(referencesOf(".got"), [[8, 8196], [24, 8208]]);
});

Deno.test("words of other sections are not slots, and slots of imports lead to no variable", () => {
  assertEquals(referencesOf("constants"), [[8, 8196]]);
});
