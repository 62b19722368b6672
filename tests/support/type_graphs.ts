// Types of modules without a compiler: records by hand, and a module that keeps them.
import { SectionType, SymbolType } from "../../src/smf/mod.ts";
import { encodeTypes } from "../../src/types/encode.ts";
import type { Integer } from "../../src/types/integer.ts";
import type { TypeField, TypeRecord } from "../../src/types/model.ts";
import { typeScriptModule } from "../../src/types/typescript/module.ts";
import { hostBuilder, machineCode } from "./testing.ts";
import { TypeRecords } from "./typed_modules.ts";

/** Types whose parameters have names, and whose fields are given as the model has them. */
export class TypeList extends TypeRecords {
  get types(): readonly (TypeRecord | undefined)[] {
    return this.list;
  }

  int(name = "int", size = 4): number {
    return this.base(name, size, "signed");
  }

  double(): number {
    return this.base("double", 8, "float");
  }

  struct(name: string, size: number, fields: readonly TypeField[]): number {
    return this.add({ kind: "struct", name, size, nontrivial: false, variants: false, bases: [], fields });
  }

  enum(name: string, underlying: number, values: Readonly<Record<string, Integer>>, size = 4): number {
    const enumerators = Object.entries(values).map(([name, value]) => ({ name, value }));
    return this.add({ kind: "enum", name, size, underlying, enumerators });
  }

  function(
    result: number,
    parameters: readonly (readonly [name: string, type: number])[],
    variadic = false,
  ): number {
    return this.add({
      kind: "function",
      result,
      parameters: parameters.map(([name, type]) => ({ name, type })),
      variadic,
      prototyped: true,
    });
  }

  /** Writes the TypeScript module of these exports. */
  module(exports: Readonly<Record<string, number>>, allStructs = false): string {
    return typeScriptModule({
      moduleName: "test.smf",
      types: this.types,
      layoutHash: () => "0123456789abcdef",
      exports: Object.entries(exports).map(([name, type]) => ({
        name,
        kind: this.types[type]?.kind === "function" ? "function" as const : "variable" as const,
        type,
      })),
      allStructs,
      takesBuffers: () => false,
    });
  }
}

/**
 * A module that keeps its types and runs on this system: `long add(long a, long b)`, the variables
 * `int counter` and `struct Point origin`, and `int log(const char *format, ...)`, which is never called.
 */
export function typedModule(): Uint8Array {
  const list = new TypeList();
  const [int, long, double] = [list.int(), list.int("long", 8), list.double()];
  const text = list.pointer(list.add({ kind: "const", to: list.int("char", 1) }));
  const point = list.struct("Point", 16, [
    { name: "x", type: double, offset: 0 },
    { name: "y", type: double, offset: 8 },
  ]);
  const add = list.function(long, [["a", long], ["b", long]]);
  const log = list.function(int, [["format", text]], true);
  const code = machineCode.add();
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([...code, ...code]) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(32) });
  builder.symbol({ name: "add", type: SymbolType.Function, size: code.length });
  builder.symbol({ name: "log", type: SymbolType.Function, value: code.length, size: code.length });
  builder.symbol({ name: "counter", type: SymbolType.Data, value: 4096, size: 4 });
  builder.symbol({ name: "origin", type: SymbolType.Data, value: 4104, size: 16 });
  const typed = [[0, add], [code.length, log], [4096, int], [4104, point]];
  builder.section({
    name: ".types",
    type: SectionType.TypeInfo,
    bytes: encodeTypes({ types: list.types, typed: typed.map(([address, type]) => ({ address, type })) }),
  });
  return builder.build();
}
