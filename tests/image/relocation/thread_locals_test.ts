// The plan of thread-local variables, made before anything is mapped.
import { assert, assertEquals } from "@std/assert";
import { planImage } from "../../../src/image/plan.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { Arch, Binding, RelocationType, SectionType, SymbolType } from "../../../src/smf/enums.ts";
import { SmfBuilder } from "../../../src/smf/builder.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import {
  applyStaticOffsets,
  planThreadLocals,
  type ThreadLocalPlan,
} from "../../../src/image/relocation/thread_locals.ts";
import { HOST_ARCH } from "../../../src/load/runtime/host.ts";
import { assertLoadError, hostBuilder } from "../../support/testing.ts";

interface Asked {
  readonly name?: string;
  /** The symbol's value: `.tdata` takes 4096 to 4128, `.data` 4128 to 4144. */
  readonly value?: number;
  readonly addend?: bigint;
  readonly offset?: number;
  readonly type?: number;
  readonly defined?: boolean;
  readonly kind?: SymbolType;
  readonly binding?: Binding;
  /** The type of a second relocation of the symbol. */
  readonly second?: number;
}

/** The plan of a module with 24 bytes of `.tdata` in 32, and one relocation. */
function planned(
  {
    name = ".tdata",
    value = 4096,
    addend = 0n,
    offset = 4128,
    type = RelocationType.TlsOffset64,
    defined = true,
    kind = SymbolType.Data,
    binding = Binding.Local,
    second,
  }: Asked,
): ThreadLocalPlan | undefined {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name, type: SectionType.Data, bytes: new Uint8Array(24), virtualSize: 32 });
  builder.section({ name: ".data", type: SectionType.Data, bytes: new Uint8Array(16) });
  const symbol = defined
    ? builder.symbol({ name: "v", type: kind, value, binding })
    : builder.symbol({ name: "v", type: SymbolType.Data, defined: false });
  builder.relocation({ offset, symbol, type, addend });
  if (second !== undefined) builder.relocation({ offset: 0, symbol, type: second, addend: 0n });
  const file = parseSmf(builder.build());
  const needs = scanRelocations(file);
  const plan = planImage(file, 4096, { got: needs.gotCount, plt: needs.pltCount });
  return planThreadLocals(file, plan, needs);
}

Deno.test("a word has its variable's offset in the TLS block", () => {
  assertEquals(planned({ value: 4100, addend: 3n }), {
    blocks: { image: { offset: 4096, length: 24 }, size: 32, alignment: 16 },
    words: [{ place: 4128, size: 8, type: RelocationType.TlsOffset64, imported: undefined, offset: 7 }],
    staticOffsets: [],
    exports: [],
  });
  const descriptor = planned({ type: RelocationType.TlsDescriptor });
  assertEquals(descriptor?.words.map(({ size }) => size), [16]);
});

Deno.test("exports in the section are variables that others can import, with or without relocations", () => {
  const exported = (value: number, kind: SymbolType = SymbolType.Data, name?: string) =>
    planned({ type: RelocationType.Abs64, value, kind, binding: Binding.Global, ...(name && { name }) })
      ?.exports;
  assertEquals([4096, 4127].map((value) => exported(value)), [
    [{ name: "v", offset: 0 }],
    [{ name: "v", offset: 31 }],
  ]);
  // Not those beside it, in another section, or of a type without an address.
  assertEquals([exported(4128), exported(4096, SymbolType.Data, "other")], [undefined, undefined]);
  assertEquals(exported(4096, SymbolType.Trait), undefined);
});

Deno.test("a module without thread-local relocations has no plan", () => {
  assertEquals(planned({ type: RelocationType.Abs64 }), undefined);
});

Deno.test("both ends of the block are inside it, and nothing else is", () => {
  for (const [addend, inside] of [[-1n, false], [0n, true], [32n, true], [33n, false]] as const) {
    if (inside) assertEquals(planned({ addend })?.words[0].offset, Number(addend));
    else {assertLoadError(() => planned({ addend }), "RelocationFailed", {
        value: Number(addend),
        symbol: "v",
      });}
  }
  for (const value of [0, 4137]) assertLoadError(() => planned({ value }), "RelocationFailed");
  // A symbol without an address is refused whatever the addend.
  assertLoadError(() => planned({ kind: SymbolType.Type, value: 99_999, addend: 4097n }), "RelocationFailed");
  for (const addend of [2n ** 62n, -(2n ** 62n)]) {
    assertLoadError(() => planned({ addend }), "RelocationFailed");
  }
});

Deno.test("a variable outside '.tdata' is refused with its reason", () => {
  const { message } = assertLoadError(() => planned({ name: ".tbss" }), "RelocationFailed");
  assertEquals(/the module has no section '\.tdata'/.test(message), true, message);
});

Deno.test("an imported variable is planned by its symbol", () => {
  assertEquals(planned({ defined: false, addend: 8n, name: "other" }), {
    blocks: undefined,
    words: [{ place: 4128, size: 8, type: RelocationType.TlsOffset64, imported: 0, offset: 8 }],
    staticOffsets: [],
    exports: [],
  });
  for (const addend of [2n ** 62n, -(2n ** 62n)]) {
    assertLoadError(() => planned({ defined: false, addend }), "RelocationFailed", { symbol: "v" });
  }
});

Deno.test("an imported variable whose address is taken as well is refused: it has none", () => {
  const { message } = assertLoadError(
    () => planned({ defined: false, second: RelocationType.Abs64 }),
    "RelocationFailed",
    { symbol: "v", offset: 0 },
  );
  assert(message.includes("its symbol is a thread-local variable too"), message);
  planned({ defined: false, second: RelocationType.TlsModule64 });
  planned({ defined: false, second: RelocationType.None });
});

Deno.test("a word outside the image, or across its end, is refused", () => {
  for (
    const [offset, type] of [[4137, RelocationType.TlsModule64], [4136, RelocationType.TlsDescriptor], [
      9000,
      38,
    ]]
  ) {
    const { message } = assertLoadError(() => planned({ offset, type }), "RelocationFailed", { offset });
    assertEquals(/bytes are not inside the image/.test(message), true, message);
  }
});

Deno.test("local-exec code of both processors gets the offset from the thread pointer, or an error", () => {
  const { TlsStatic32, Arm64TlsStaticHigh12: High, Arm64TlsStaticLow12: Low } = RelocationType;
  const [ADD, ADD_SHIFTED, LDR_X, LDR_W, NOP] = [
    0x9100_0000,
    0x9140_0000,
    0xf940_0000,
    0xb940_0000,
    0xd503_201f,
  ];
  const cases: [arch: number, type: number, before: number, block: number, after: number | string][] = [
    [Arch.X86_64, TlsStatic32, 0, -96, -89],
    [Arch.X86_64, TlsStatic32, 0, -(2 ** 31) - 7, -(2 ** 31)],
    [Arch.X86_64, TlsStatic32, 0, -(2 ** 31) - 8, "does not fit"],
    [Arch.X86_64, TlsStatic32, 0, 2 ** 31 - 7, "does not fit"],
    [Arch.Aarch64, High, ADD_SHIFTED, 0x12_3456, ADD_SHIFTED | (0x123 << 10)],
    [Arch.Aarch64, High, ADD_SHIFTED, 2 ** 24 - 8, (ADD_SHIFTED | (0xfff << 10)) >>> 0],
    [Arch.Aarch64, High, ADD_SHIFTED, 2 ** 24 - 7, "does not fit"],
    [Arch.Aarch64, High, ADD_SHIFTED, -8, "does not fit"],
    [Arch.Aarch64, High, ADD, 64, "not an instruction"],
    [Arch.Aarch64, Low, ADD, 0x1009, ADD | (16 << 10)],
    [Arch.Aarch64, Low, LDR_W, 0x1ffd - 8, LDR_W | (0xffc / 4 << 10)],
    [Arch.Aarch64, Low, LDR_X, 0x1001, LDR_X | (8 / 8 << 10)],
    [Arch.Aarch64, Low, LDR_X, 0x1002, "does not fit"],
    [Arch.Aarch64, Low, NOP, 64, "not an instruction"],
  ];
  for (const [arch, type, before, block, after] of cases) {
    const builder = new SmfBuilder({ arch });
    builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
    builder.section({ name: ".tdata", type: SectionType.RoData, bytes: new Uint8Array(24) });
    const symbol = builder.symbol({ name: "v", type: SymbolType.Data, value: 4096, binding: Binding.Local });
    builder.relocation({ offset: 8, symbol, type, addend: 7n });
    const file = parseSmf(builder.build());
    const needs = scanRelocations(file);
    const plan = planImage(file, 4096, { got: 0, plt: 0 });
    const threadLocals = planThreadLocals(file, plan, needs)!;
    assertEquals(threadLocals.words, []);
    const bytes = new Uint8Array(8192);
    const view = new DataView(bytes.buffer);
    const { place } = threadLocals.staticOffsets[0];
    view.setUint32(place, before, true);
    const apply = () => applyStaticOffsets(bytes, file, threadLocals, block);
    if (typeof after === "string") {
      const { message } = assertLoadError(apply, "RelocationFailed", { symbol: "v", value: block + 7 });
      assertEquals(message.includes(after), true, message);
    } else {
      apply();
      assertEquals(view.getUint32(place, true), after >>> 0, `${before.toString(16)} ${block}`);
    }
  }
});

Deno.test("local-exec code cannot use a variable of another library", () => {
  const { TlsStatic32, Arm64TlsStaticHigh12 } = RelocationType;
  const type = HOST_ARCH === Arch.X86_64 ? TlsStatic32 : Arm64TlsStaticHigh12;
  const { message } = assertLoadError(
    () => planned({ defined: false, type }),
    "RelocationFailed",
  );
  assertEquals(message.includes("not a variable of the module"), true, message);
});
