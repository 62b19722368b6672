// The facts that a picture of a module shows.
import { assertEquals } from "@std/assert";
import { ANOTHER_MODULE, importAnswers } from "../../../src/cli/analysis/import_answers.ts";
import { inspectModule } from "../../../src/cli/analysis/inspect.ts";
import { MOST_BLOCKS, pictureOf } from "../../../src/cli/analysis/picture.ts";
import {
  Arch,
  parseSmf,
  Platform,
  RelocationType,
  SectionType,
  SmfBuilder,
  SymbolType,
} from "../../../src/smf/mod.ts";

function builder(): SmfBuilder {
  return new SmfBuilder({ arch: Arch.X86_64, platform: Platform.Linux });
}

function picture(smf: SmfBuilder) {
  const module = parseSmf(smf.build());
  return pictureOf(
    inspectModule(module, module.sections, "a.smf").data,
    importAnswers(module, () => undefined),
  );
}

Deno.test("functions and variables are blocks by the access to their memory, the largest first", () => {
  const smf = builder();
  smf.section({ name: ".text", type: SectionType.Code, bytes: new Uint8Array(64) });
  smf.section({ name: ".data", type: SectionType.Data, bytes: new Uint8Array(16) });
  smf.symbol({ name: "small", type: SymbolType.Function, value: 0, size: 8 });
  smf.symbol({ name: "large", type: SymbolType.Function, value: 8, size: 40 });
  // Another name of the same function.
  smf.symbol({ name: "alias", type: SymbolType.Function, value: 8, size: 40 });
  const data = smf.symbol({ name: "counter", type: SymbolType.Data, value: 4096, size: 8 });
  smf.relocation({ offset: 4104, symbol: data, type: RelocationType.Abs64 });
  const { blocks, relocations, imports, image } = picture(smf);
  assertEquals(blocks.get("read-execute"), [{ name: "large", size: 40 }, { name: "small", size: 8 }]);
  assertEquals(blocks.get("read-write"), [{ name: "counter", size: 8 }]);
  assertEquals(blocks.get("read-only"), undefined);
  assertEquals([relocations, imports], [[["Abs64", 1]], []]);
  assertEquals(image?.size, 8192);
});

Deno.test("what is beyond the limit is one block, so that no page grows without bound", () => {
  const smf = builder();
  const count = MOST_BLOCKS + 50;
  smf.section({ name: ".text", type: SectionType.Code, bytes: new Uint8Array(16 * count) });
  for (let index = 0; index < count; index++) {
    smf.symbol({ name: `f${index}`, type: SymbolType.Function, value: 16 * index, size: 16 });
  }
  const blocks = picture(smf).blocks.get("read-execute")!;
  assertEquals(blocks.length, MOST_BLOCKS);
  assertEquals(blocks[0], { name: "51 smaller ones", size: 51 * 16 });
});

Deno.test("imports are grouped by who could answer first", () => {
  const smf = builder();
  const bytes = new TextEncoder().encode("libm.so.6\0");
  smf.section({ name: ".needed", type: SectionType.HostLibraries, bytes });
  smf.section({ name: ".text", type: SectionType.Code, bytes: new Uint8Array(16) });
  for (const name of ["sin", "puts", "__cxa_atexit", "memcpy@GLIBC_2.2.5", "smf_safe_point", "scale"]) {
    smf.symbol({ name, type: SymbolType.Function, defined: false });
  }
  const libraries: Record<string, string[]> = {
    "libm.so.6": ["sin", "cos"],
    "libc.so.6": ["puts", "memcpy"],
  };
  const answers = importAnswers(parseSmf(smf.build()), (name) => new Set(libraries[name]));
  assertEquals(answers, [
    { by: "libm.so.6", names: ["sin"] },
    { by: "libc.so.6", names: ["puts", "memcpy@GLIBC_2.2.5"] },
    { by: "the loader", names: ["__cxa_atexit", "smf_safe_point"] },
    { by: ANOTHER_MODULE, names: ["scale"] },
  ]);
});
