/**
 * The homes of a reloadable module: input sections of writable variables, COMMON symbols and, in a hot module, the
 * tables of C++ classes. Each is one unit that a reload can leave where it is, while the code around it is replaced.
 * So the linker applies no reference into one: the loader does, and can lead it elsewhere.
 *
 * The section that a relocation names decides, not the address that comes out: compilers address a variable
 * from its neighbour in the same section, and an element before the first or past the last.
 */
import { SectionFlag } from "../os/elf.ts";
import type { Home } from "../smf/homes.ts";
import { CRT_OBJECT_NAME } from "./crt_object.ts";
import { State } from "./globals.ts";
import type { InputSection, LinkObject, Location } from "./input.ts";
import type { Layout } from "./layout.ts";
import type { Resolution } from "./resolve.ts";
import { C_IDENTIFIER } from "./section_names.ts";
import { startupArray } from "./startup_order.ts";

/** The number of a home where there is none. */
export const NO_HOME = -1;

/** A home of the link. */
export interface PlacedHome extends Location, Pick<Home, "size" | "alignment"> {
  /** The name of its section, or of the COMMON symbol. */
  readonly name: string;
  /** The section; undefined for a COMMON symbol. */
  readonly section: InputSection | undefined;
}

/** Writable sections that hold no variables of the program: constants with addresses in them, and tables. */
const NOT_VARIABLES = /^\.(?:data\.rel\.ro|gcc_except_table|eh_frame|tm_clone_table|got|jcr)(?:\.|$)/;
/** References to personality routines, one for each routine. */
const PERSONALITY = /(?:^|\.)DW\.ref\./;

/** Whether a section is a home in a reloadable module. */
export function isHome(section: InputSection): boolean {
  if (section.isImageRelative) return false;
  if (section.isClassTable) return true;
  const { name, elf: { flags, size }, object } = section;
  const { WRITE, EXECINSTR, TLS, LINK_ORDER } = SectionFlag;
  if ((flags & (WRITE | EXECINSTR | TLS | LINK_ORDER)) !== WRITE || size === 0) return false;
  // Symbols of the linker bound sections whose name is a C identifier, so these stay together.
  return !C_IDENTIFIER.test(name) && !NOT_VARIABLES.test(name) && !PERSONALITY.test(name) &&
    startupArray(name) === undefined && object.name !== CRT_OBJECT_NAME;
}

/** Whether a symbol of an object is defined in a home. */
export function leadsHome({ globals, objects }: Resolution, object: LinkObject, symbol: number): boolean {
  let id = object.globalOf(symbol);
  if (id === -1) return isHomeOrNone(object.sectionOf(symbol));
  for (let alias = globals.aliases.get(id); alias !== undefined; alias = globals.aliases.get(id)) {
    id = alias.target;
  }
  if (globals.state(id) === State.COMMON) return true;
  return globals.isDefined(id) && isHomeOrNone(objects[globals.object(id)]?.sectionOf(globals.symbol(id)));
}

function isHomeOrNone(section: InputSection | undefined): boolean {
  return section !== undefined && isHome(section);
}

/** The homes of a link. */
export class Homes {
  /** In the order of their addresses. */
  readonly list: readonly PlacedHome[];
  readonly #commons: Map<number, number> = new Map();

  /**
   * Numbers the homes, in their sections, too.
   *
   * @param commonName Returns the name of a COMMON symbol.
   */
  constructor(
    { outputs, commons }: Pick<Layout, "outputs" | "commons">,
    sizeOf: ReadonlyMap<number, { readonly size: number; readonly alignment: number }>,
    commonName: (id: number) => string,
  ) {
    const list: PlacedHome[] = [];
    for (const output of outputs) {
      for (const section of output.inputs) {
        if (!isHome(section)) continue;
        const { name, offset, spare, elf } = section;
        const size = elf.size + spare, alignment = elf.alignment || 1;
        section.home = list.push({ name, section, output, offset, size, alignment }) - 1;
      }
      for (const [id, common] of commons) {
        const { size, alignment } = sizeOf.get(id)!;
        if (common.output !== output || size === 0) continue;
        const home = { name: commonName(id), section: undefined, ...common, size, alignment };
        this.#commons.set(id, list.push(home) - 1);
      }
    }
    this.list = list;
  }

  /** Returns the number of the home of a COMMON symbol, by its name number. */
  ofCommon(id: number): number {
    return this.#commons.get(id) ?? NO_HOME;
  }
}
