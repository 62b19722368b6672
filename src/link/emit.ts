/**
 * Writes a finished layout as an SMF file.
 */
import { HOMES_SECTION, homesBytes } from "../smf/homes.ts";
import { HOST_LIBRARIES_SECTION, hostLibrariesBytes } from "../smf/host_libraries.ts";
import { LoadError } from "../errors/load_error.ts";
import { Binding, CALL_ENDS_PROCESS, HeaderFlag, Platform, SectionType, SymbolType } from "../smf/enums.ts";
import { type BuilderParts, partsOf, SmfBuilder } from "../smf/builder.ts";
import type { FileParts } from "../smf/file_parts.ts";
import { foreignCode } from "../smf/contents.ts";
import { TYPES_SECTION } from "../smf/types.ts";
import type { LayoutName } from "../smf/layout.ts";
import type { Applied } from "./apply.ts";
import { SymbolKind } from "../os/elf.ts";
import { addDebug, type DebugTarget } from "./emit_debug.ts";
import { addEntries } from "./emit_entries.ts";
import { ModuleSymbols } from "./emit_symbols.ts";
import type { Entries } from "./entries.ts";
import { sortedByHash } from "./exports.ts";
import type { NeededName } from "./gc.ts";
import { ENTRY_BASE, GOT_BASE, HOME_BASE } from "./dynamic_relocations.ts";
import { exportFlags, exportKind, isNamed, type PlacedSymbol, sizeOf, symbolType } from "./file_symbols.ts";
import { type Homes, NO_HOME } from "./homes.ts";
import type { LinkObject } from "./input.ts";
import { Found, type Locator } from "./locate.ts";
import type { MapExport } from "./map.ts";
import type { Resolution } from "./resolve.ts";
import { sectionName } from "./section_names.ts";
import { variableNames } from "./variable_names.ts";
import type { SourceCache } from "./variable_sources.ts";

/** Everything that goes into the file. */
export interface EmitInput extends DebugTarget {
  readonly resolution: Resolution;
  readonly locator: Locator;
  readonly applied: Applied;
  /** The name numbers of exports. */
  readonly exported: ReadonlySet<number>;
  readonly imports: ReadonlyMap<number, NeededName>;
  /** The name number of the entry point. */
  readonly entry: number | undefined;
  /** The homes of variables; undefined if the module is not reloadable. */
  readonly homes: Homes | undefined;
  /** The functions that reloads switch; undefined if the module is not hot. */
  readonly entries: Entries | undefined;
  readonly strip: boolean;
  /** The host libraries that the module needs. */
  readonly needed: readonly string[];
  /** The names of symbols that stay, stripped or not. */
  readonly keptNames: ReadonlySet<string>;
  readonly platform: number | undefined;
  /** The level of processors that the code needs. */
  readonly cpu: number;
  readonly fileLayout: LayoutName | undefined;
  readonly sourceHash: bigint;
  /** The bytes of the section of types. */
  readonly types: Uint8Array | undefined;
  /** The facts about objects' source texts that earlier links have read. */
  readonly sources: SourceCache | undefined;
}

/** The results of {@linkcode emitModule}. */
export interface Emitted {
  readonly file: FileParts;
  /** The exports in the order of the inputs. */
  readonly exports: readonly MapExport[];
  /** The bytes of the companion file, if there is one. */
  readonly debugFile: Uint8Array | undefined;
}

/** Writes the module. */
export function emitModule(input: EmitInput): Emitted {
  const emitter = new Emitter(input);
  return { file: emitter.build(), exports: emitter.exports, debugFile: emitter.debugFile };
}

class Emitter {
  readonly exports: MapExport[] = [];
  debugFile: Uint8Array | undefined;
  readonly #input: EmitInput;
  readonly #builder: SmfBuilder;
  readonly #parts: BuilderParts;
  readonly #symbols: ModuleSymbols;
  /** The index in the symbol table, by name number. */
  readonly #globalIndex: Map<number, number> = new Map();
  readonly #sectionIndex: number[] = [];
  readonly #gotIndex: number[] = [];
  readonly #homeIndex: number[] = [];
  /** The indexes of entries that are not exported, by their numbers. */
  readonly #entryIndex: number[] = [];

  constructor(input: EmitInput) {
    this.#input = input;
    const entry = input.entry === undefined ? undefined : this.#place(input.entry);
    this.#builder = new SmfBuilder({
      layout: input.fileLayout ?? "H96",
      platform: input.platform ?? Platform.Linux,
      arch: input.arch.smf,
      cpu: input.cpu,
      flags: HeaderFlag.Pic | (entry === undefined ? 0 : HeaderFlag.Executable) |
        (input.homes !== undefined ? HeaderFlag.Reloadable : 0) |
        (input.debug !== undefined ? HeaderFlag.DebugInfo : 0) |
        (input.applied.isFixed ? HeaderFlag.FixedLayout : 0),
      entryPoint: entry?.address ?? 0,
      sourceHash: input.sourceHash,
    });
    this.#parts = partsOf(this.#builder);
    // Debug information in a file of its own comes with the symbols.
    const hasCompanion = input.debug !== undefined && input.companion !== undefined;
    this.#symbols = new ModuleSymbols(this.#parts.symbols, hasCompanion);
  }

  build(): FileParts {
    this.#addSections();
    this.#addExports();
    this.#addImports();
    this.#addLocals();
    this.#addRelocationSymbols();
    this.#addHomes();
    addEntries(this.#builder, this.#input.entries, this.#entryIndex, this.#input.layout.got.callSlots);
    this.#addRelocations();
    this.debugFile = addDebug(this.#builder, this.#input, this.#symbols.companion);
    return this.#parts.arrange();
  }

  #addSections(): void {
    for (const output of this.#input.layout.outputs) {
      const bytes = this.#input.applied.contents[output.index];
      const foreign = output.type === SectionType.Code && bytes !== undefined
        ? foreignCode(bytes)
        : undefined;
      if (foreign !== undefined) {
        throw new LoadError("Unsupported", `Cannot link module: loaders take its code for ${foreign}`, {
          section: output.name,
          hint: "link another object first, so that the code begins with other bytes",
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
    const { needed, types } = this.#input;
    if (types !== undefined) {
      this.#builder.section({ name: TYPES_SECTION, type: SectionType.TypeInfo, bytes: types });
    }
    if (needed.length === 0) return;
    const bytes = hostLibrariesBytes([...new Set(needed)]);
    this.#builder.section({ name: HOST_LIBRARIES_SECTION, type: SectionType.HostLibraries, bytes });
  }

  /** Returns the address of a defined name; undefined for a constant or a dropped symbol. */
  #place(id: number): PlacedSymbol | undefined {
    const { locator, resolution } = this.#input;
    locator.global(id);
    if (locator.found !== Found.DEFINED) return undefined;
    const { globals, objects } = resolution;
    const object: LinkObject | undefined = objects[globals.object(id)];
    return this.#placed(object === undefined ? 0 : sizeOf(globals, id, object, globals.symbol(id)));
  }

  /** Returns the location that the locator found. A size that passes the end of the section becomes 0. */
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
      const kind = exportKind(type, placed);
      found.push({ id, name, type, address, size, kind });
      this.exports.push({ name, address, size, kind });
      this.#symbols.noteExport(name, type, placed);
    }
    for (const { id, name, type, address, size } of sortedByHash(found)) {
      const flags = exportFlags(resolution, id, type);
      this.#globalIndex.set(id, this.#symbols.addExport(name, type, flags, address, size));
    }
  }

  #addImports(): void {
    const { globals, objects } = this.#input.resolution;
    for (const [id, { calls, weak, endsProcess }] of this.#input.imports) {
      const object: LinkObject | undefined = objects[globals.object(id)];
      const kind = object?.elf.symbols.kind(globals.symbol(id));
      // Compilers leave the type of undefined symbols open; a call shows that it is a function.
      const type = calls > 0 || kind === SymbolKind.FUNC
        ? SymbolType.Function
        : kind === SymbolKind.OBJECT
        ? SymbolType.Data
        : SymbolType.None;
      this.#globalIndex.set(
        id,
        this.#builder.symbol({
          name: globals.names.text(id),
          type,
          binding: weak ? Binding.Weak : Binding.Global,
          flags: endsProcess && type === SymbolType.Function ? CALL_ENDS_PROCESS : 0,
          defined: false,
        }),
      );
    }
  }

  /** Adds functions and variables that are not exported, for debuggers and for variables carried over a reload. */
  #addLocals(): void {
    const { resolution, locator, exported, homes, strip, keptNames, entries } = this.#input;
    const { globals } = resolution, table = this.#symbols;
    const variables = homes === undefined
      ? undefined
      : variableNames(resolution, locator, this.#input.sources);
    for (const object of resolution.objects) {
      const { symbols } = object.elf, names = variables?.get(object);
      for (let i = 1; i < symbols.length; i++) {
        const kind = symbols.kind(i);
        const id = object.globalOf(i);
        // A thread-local variable has no address of its own, but a reload tells it apart by its name.
        const isThreadLocal = kind === SymbolKind.TLS;
        if (isThreadLocal && homes === undefined) continue;
        if (id === -1 ? !isNamed(kind) && !isThreadLocal : exported.has(id)) continue;
        if (id !== -1 && (globals.object(id) !== object.index || globals.symbol(id) !== i)) continue;
        if (id === -1) locator.symbol(object, i, 0);
        else if (globals.isDefined(id)) locator.global(id);
        else continue;
        if (locator.found !== Found.DEFINED) continue;
        const given = names?.get(i);
        if (isThreadLocal) {
          table.addThreadLocal(given ?? symbols.name(i), this.#placed(symbols.size(i)));
          continue;
        }
        const entry = id === -1 ? entries?.ofLocal(object, i) : entries?.ofName(id);
        // A reload tells entries, and the variables in homes, apart by their names.
        const isNeeded = !strip || locator.home !== NO_HOME || entry !== undefined;
        if (!isNeeded && !keptNames.has(given ?? symbols.name(i))) continue;
        const name = given === undefined ? table.enterOf(object, i) : table.enter(given);
        const index = table.addLocal(name, this.#placed(sizeOf(globals, id, object, i)));
        if (entry !== undefined) this.#entryIndex[entry.index] = index;
      }
    }
  }

  /** Adds symbols that only relocations need: for GOT slots of symbols that are not exported, and for sections. */
  #addRelocationSymbols(): void {
    for (const { name, output, offset } of this.#input.applied.gotSymbols) {
      const address = output.address + offset;
      this.#gotIndex.push(this.#symbols.localAt(name, { output, address }));
    }
    const { dynamic } = this.#input.applied;
    const needed = new Set<number>();
    for (let i = 0; i < dynamic.length; i++) if (dynamic.targets[i] < 0) needed.add(-1 - dynamic.targets[i]);
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

  /** Lists the homes, each with the first local symbol at its start, or one without size if there is none. */
  #addHomes(): void {
    const { list } = this.#input.homes ?? { list: [] };
    if (list.length === 0) return;
    const homes = list.map(({ name, output, offset, size, alignment }, index) => {
      const address = output.address + offset;
      const symbol = this.#symbols.localAt(name, { output, address });
      this.#homeIndex[index] = symbol;
      return { symbol, size, alignment };
    });
    this.#builder.section({ name: HOMES_SECTION, type: SectionType.Homes, bytes: homesBytes(homes) });
  }

  #addRelocations(): void {
    const { dynamic } = this.#input.applied, { relocations } = this.#parts;
    relocations.reserve(dynamic.length);
    for (const i of dynamic.byOffset()) {
      const target = dynamic.targets[i];
      const symbol = target < 0
        ? this.#sectionIndex[-1 - target]
        : target >= ENTRY_BASE
        ? this.#entryIndex[target - ENTRY_BASE]
        : target >= HOME_BASE
        ? this.#homeIndex[target - HOME_BASE]
        : target >= GOT_BASE
        ? this.#gotIndex[target - GOT_BASE]
        : this.#globalIndex.get(target)!;
      const addend = dynamic.large.get(i) ?? dynamic.addends[i];
      if (typeof addend === "number" && !Number.isSafeInteger(addend)) {
        throw new LoadError("RelocationFailed", "Cannot write relocation: its addend is beyond 2^53", {
          offset: dynamic.offsets[i],
          value: addend,
        });
      }
      relocations.add(dynamic.offsets[i], symbol, dynamic.types[i], addend);
    }
  }
}
