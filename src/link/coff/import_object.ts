/**
 * The object that stands for a member of an import library: `__imp_NAME`, a pointer to a function or a variable of a
 * DLL. References to the name itself stay undefined, so that the loader looks for it in the DLL.
 */
import { Machine, SectionFlag, SymbolKind, SymbolVisibility } from "../../os/elf.ts";
import { ElfWriter, nameBytes } from "../../os/elf_writer.ts";
import { Platform } from "../../smf/enums.ts";
import { NO_DIRECTIVES } from "../directives.ts";
import type { ElfObject } from "../elf/object.ts";
import { parseObject } from "../elf/object.ts";

/** In front of the name of a pointer to an import. */
export const IMPORT_PREFIX = "__imp_";

/** R_X86_64_64, R_X86_64_PC32. */
const [ADDRESS, DISTANCE] = [1, 2];

/** A function or a variable of a DLL. */
export interface DllImport {
  /** The name by which objects refer to it. */
  readonly name: string;
  /** The name by which the DLL exports it. */
  readonly exported: string;
  readonly isFunction: boolean;
}

/** Writes the object that defines the pointers to imports. */
export function importObject(imports: readonly DllImport[], references: readonly string[] = []): Uint8Array {
  const writer = new ElfWriter(Machine.X86_64);
  const symbols = new Map<string, number>();
  const refer = (name: string): number => {
    let symbol = symbols.get(name);
    if (symbol === undefined) symbols.set(name, symbol = writer.symbol({ name: nameBytes(name) }));
    return symbol;
  };
  for (const { name, exported, isFunction } of imports) {
    const pointer = writer.section({
      name: nameBytes(`.data.rel.ro.${IMPORT_PREFIX}${name}`),
      flags: SectionFlag.ALLOC | SectionFlag.WRITE,
      bytes: new Uint8Array(8),
      alignment: 8,
    });
    const slot = writer.symbol({
      name: nameBytes(IMPORT_PREFIX + name),
      section: pointer,
      size: 8,
      kind: SymbolKind.OBJECT,
      visibility: SymbolVisibility.HIDDEN,
    });
    writer.relocation(pointer, { offset: 0, symbol: refer(exported), type: ADDRESS });
    if (name === exported || !isFunction) continue;
    // The DLL has another name for it: jmp *__imp_NAME(%rip).
    const code = writer.section({
      name: nameBytes(`.text.${name}`),
      flags: SectionFlag.ALLOC | SectionFlag.EXECINSTR,
      bytes: Uint8Array.of(0xff, 0x25, 0, 0, 0, 0),
      alignment: 2,
    });
    writer.symbol({
      name: nameBytes(name),
      section: code,
      size: 6,
      kind: SymbolKind.FUNC,
      visibility: SymbolVisibility.HIDDEN,
    });
    writer.relocation(code, { offset: 2, symbol: slot, type: DISTANCE, addend: -4 });
  }
  for (const name of references) refer(name);
  return writer.build();
}

/** Makes the object of one import, and names the DLL that has it, if it is known. */
export function importedObject(
  path: string,
  one: DllImport,
  library: string | undefined,
  references: readonly string[] = [],
): ElfObject {
  return {
    ...parseObject(path, importObject([one], references)),
    platform: Platform.Windows,
    directives: { ...NO_DIRECTIVES, hostLibraries: library === undefined ? [] : [library] },
  };
}
