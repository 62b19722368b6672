/**
 * Turns a finished layout into an SMF file.
 */
import { LoadError } from "../errors.ts";
import { Binding, HeaderFlag, Platform, SectionType, SymbolType } from "../smf/enums.ts";
import { SmfBuilder } from "../smf/builder.ts";
import { foreignCode } from "../smf/file.ts";
import type { LayoutName } from "../smf/layout.ts";
import type { Applied } from "./apply.ts";
import type { LinkArch } from "./arch/arch.ts";
import { SymbolKind } from "../os/elf.ts";
import { inOrder } from "./export_order.ts";
import type { NeededName } from "./gc.ts";
import { State } from "./globals.ts";
import type { LinkObject } from "./input.ts";
import { GOT_BASE } from "./dynamic_relocations.ts";
import type { OutputSection } from "./input.ts";
import type { Layout } from "./layout.ts";
import { Found, type Locator } from "./locate.ts";
import type { MapExport } from "./map.ts";
import type { Resolution } from "./resolve.ts";

/** What {@linkcode emitModule} writes. */
export interface EmitInput {
  readonly arch: LinkArch;
  readonly resolution: Resolution;
  readonly layout: Layout;
  readonly locator: Locator;
  readonly applied: Applied;
  /** Exported names, by number. */
  readonly exported: ReadonlySet<number>;
  readonly imports: ReadonlyMap<number, NeededName>;
  /** Name number of the entry point. */
  readonly entry: number | undefined;
  readonly reloadable: boolean;
  readonly strip: boolean;
  readonly platform: number | undefined;
  readonly fileLayout: LayoutName | undefined;
  readonly sourceHash: bigint;
}

/** A symbol with its place, read once and used for the file and the map. */
interface PlacedSymbol {
  readonly output: OutputSection;
  readonly address: number;
  readonly size: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The first 16 bytes of a name, without a torn character at the end. */
function sectionName(name: string): string {
  const bytes = encoder.encode(name);
  return bytes.length <= 16 ? name : decoder.decode(bytes.subarray(0, 16)).replace(/\ufffd+$/, "");
}

/** Writes the module and tells what it exports. */
export function emitModule(input: EmitInput): { bytes: Uint8Array; exports: MapExport[] } {
  const emitter = new Emitter(input);
  return { bytes: emitter.build(), exports: emitter.exports };
}

class Emitter {
  readonly exports: MapExport[] = [];
  readonly #input: EmitInput;
  readonly #builder: SmfBuilder;
  /** By name number: the index in the symbol table. */
  readonly #globalIndex: Map<number, number> = new Map();
  readonly #sectionIndex: number[] = [];
  readonly #gotIndex: number[] = [];
  /** Addresses of local symbols that have been written, to find GOT symbols among them. */
  readonly #localIndex: Map<number, number> = new Map();

  constructor(input: EmitInput) {
    this.#input = input;
    const entry = input.entry === undefined ? undefined : this.#place(input.entry);
    this.#builder = new SmfBuilder({
      layout: input.fileLayout ?? "H96",
      platform: input.platform ?? Platform.Linux,
      arch: input.arch.smf,
      flags: HeaderFlag.Pic | (entry === undefined ? 0 : HeaderFlag.Executable) |
        (input.reloadable ? HeaderFlag.Reloadable : 0) |
        (input.applied.isFixed ? HeaderFlag.FixedLayout : 0),
      entryPoint: entry?.address ?? 0,
      sourceHash: input.sourceHash,
    });
  }

  build(): Uint8Array {
    this.#addSections();
    this.#addExports();
    this.#addImports();
    if (!this.#input.strip) this.#addLocals();
    this.#addAnonymous();
    this.#addRelocations();
    return this.#builder.build();
  }

  #addSections(): void {
    for (const output of this.#input.layout.outputs) {
      const bytes = this.#input.applied.contents[output.index];
      const foreign = output.type === SectionType.Code && bytes !== undefined
        ? foreignCode(bytes)
        : undefined;
      if (foreign !== undefined) {
        throw new LoadError("Unsupported", `Cannot link: loaders take this code for ${foreign}`, {
          section: output.name,
        });
      }
      this.#builder.section({
        name: sectionName(output.name),
        type: output.type,
        alignment: output.alignment,
        ...(bytes === undefined ? {} : { bytes }),
        virtualSize: output.size,
      });
    }
  }

  /** Where a defined name is; undefined if it has no place. */
  #place(id: number): PlacedSymbol | undefined {
    const { locator, resolution } = this.#input;
    locator.global(id);
    if (locator.found !== Found.PLACE) return undefined;
    const { globals, objects } = resolution;
    const size = globals.state(id) === State.COMMON
      ? globals.commons.get(id)!.size
      : objects[globals.object(id)]?.elf.symbols.size(globals.symbol(id)) ?? 0;
    return this.#placed(size);
  }

  /** What the locator found, with a size that stays inside the section. */
  #placed(size: number): PlacedSymbol {
    const { output, offset } = this.#input.locator;
    const most = output.size - offset;
    return { output, address: output.address + offset, size: size > 0 && size <= most ? size : 0 };
  }

  #addExports(): void {
    const { exported, resolution } = this.#input;
    const found: (MapExport & { readonly id: number; readonly type: number })[] = [];
    for (const id of exported) {
      const placed = this.#place(id);
      if (placed === undefined) continue;
      const { address, size } = placed;
      const name = resolution.globals.names.text(id);
      const type = symbolType(placed);
      const kind = type === SymbolType.Function ? "function" : "data";
      found.push({ id, name, type, address, size, kind });
      this.exports.push({ name, address, size, kind });
    }
    for (const { id, name, type, address, size } of inOrder(found)) {
      this.#globalIndex.set(
        id,
        this.#builder.symbol({ name, type, binding: Binding.Global, value: address, size }),
      );
    }
  }

  #addImports(): void {
    const { globals, objects } = this.#input.resolution;
    for (const [id, { called }] of this.#input.imports) {
      const object: LinkObject | undefined = objects[globals.object(id)];
      const kind = object?.elf.symbols.kind(globals.symbol(id));
      // An undefined symbol in an object hardly ever says what it is; a call does.
      const type = called || kind === SymbolKind.FUNC
        ? SymbolType.Function
        : kind === SymbolKind.OBJECT
        ? SymbolType.Data
        : SymbolType.None;
      const weak = globals.state(id) === State.WEAK_UNDEFINED;
      this.#globalIndex.set(
        id,
        this.#builder.symbol({
          name: globals.names.text(id),
          type,
          binding: weak ? Binding.Weak : Binding.Global,
          defined: false,
        }),
      );
    }
  }

  /** Functions and variables that are not exported: for people, debuggers, and state kept over a reload. */
  #addLocals(): void {
    const { resolution, locator, exported } = this.#input;
    const { globals } = resolution;
    for (const object of resolution.objects) {
      const { symbols } = object.elf;
      for (let i = 1; i < symbols.length; i++) {
        const kind = symbols.kind(i);
        const id = object.globalOf(i);
        if (id === -1 ? kind !== SymbolKind.FUNC && kind !== SymbolKind.OBJECT : exported.has(id)) continue;
        // It has no address to be known by.
        if (kind === SymbolKind.TLS) continue;
        if (id !== -1 && (globals.object(id) !== object.index || globals.symbol(id) !== i)) continue;
        if (id === -1) locator.symbol(object, i, 0);
        else if (globals.isDefined(id)) locator.global(id);
        else continue;
        if (locator.found === Found.PLACE) {
          this.#addLocal(symbols.name(i), this.#placed(sizeOf(globals, id, object, i)));
        }
      }
    }
  }

  #addLocal(name: string, placed: PlacedSymbol): number {
    const { address, size } = placed;
    const index = this.#builder.symbol({
      name,
      type: symbolType(placed),
      binding: Binding.Local,
      value: address,
      size,
    });
    if (!this.#localIndex.has(address)) this.#localIndex.set(address, index);
    return index;
  }

  /** Symbols that only relocations need: GOT entries of what is not exported, and sections. */
  #addAnonymous(): void {
    for (const { name, output, offset } of this.#input.applied.gotSymbols) {
      const address = output.address + offset;
      this.#gotIndex.push(
        this.#localIndex.get(address) ?? this.#addLocal(name, { output, address, size: 0 }),
      );
    }
    const { kept } = this.#input.applied;
    const needed = new Set<number>();
    for (let i = 0; i < kept.length; i++) if (kept.targets[i] < 0) needed.add(-1 - kept.targets[i]);
    for (const output of this.#input.layout.outputs) {
      if (!needed.has(output.index)) continue;
      this.#sectionIndex[output.index] = this.#builder.symbol({
        name: output.name,
        type: SymbolType.None,
        binding: Binding.Local,
        value: output.address,
      });
    }
  }

  #addRelocations(): void {
    const { kept } = this.#input.applied;
    for (const i of kept.byOffset()) {
      const target = kept.targets[i];
      const symbol = target < 0
        ? this.#sectionIndex[-1 - target]
        : target >= GOT_BASE
        ? this.#gotIndex[target - GOT_BASE]
        : this.#globalIndex.get(target)!;
      const addend = kept.addends[i];
      if (!Number.isSafeInteger(addend)) {
        throw new LoadError("RelocationFailed", "Cannot link: an addend is beyond 2^53", {
          offset: kept.offsets[i],
          value: addend,
        });
      }
      this.#builder.relocation({ offset: kept.offsets[i], symbol, type: kept.types[i], addend });
    }
  }
}

function sizeOf(globals: Resolution["globals"], id: number, object: LinkObject, symbol: number): number {
  return (id === -1 ? undefined : globals.commons.get(id)?.size) ?? object.elf.symbols.size(symbol);
}

/** What lies in code is a function: assembly often forgets to say so. The end of code is none. */
function symbolType({ output, address }: PlacedSymbol): number {
  if (output.type !== SectionType.Code) return SymbolType.Data;
  return address < output.address + output.size ? SymbolType.Function : SymbolType.None;
}
