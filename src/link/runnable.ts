/**
 * Checks that there is code wherever execution starts: at the entry point, at initialisers and
 * finalisers, and at ifunc resolvers. A loader refuses a module where there is none.
 */
import { LoadError, type LoadErrorData } from "../errors/load_error.ts";
import { RecordSize, SymbolKind } from "../os/elf.ts";
import { SectionType as SmfSectionType } from "../smf/enums.ts";
import { signed64 } from "./elf/bytes.ts";
import { State } from "./globals.ts";
import type { InputSection, LinkObject } from "./input.ts";
import type { Layout } from "./layout.ts";
import { Found, type Locator } from "./locate.ts";
import type { Problems } from "./problems.ts";
import { symbolName } from "./relocation_errors.ts";
import type { Resolution } from "./resolve.ts";
import { startupArray, TLS_CALLBACKS } from "./startup_order.ts";

/** A finished layout, and the places where execution starts. */
export interface RunnableInput {
  readonly resolution: Resolution;
  readonly layout: Layout;
  readonly locator: Locator;
  /** The name number of the entry point. */
  readonly entry: number | undefined;
  readonly problems: Problems;
}

/** Adds a problem for each start of execution without code. */
export function checkRunnable(input: RunnableInput): void {
  checkEntry(input);
  for (const { object, symbol } of input.layout.ifuncs) {
    if (isEmpty(object, symbol)) input.problems.add(withoutCode("ifunc resolver", object, symbol));
  }
  for (const output of input.layout.outputs) {
    if (startupArray(output.name) === undefined) continue;
    for (const section of output.inputs) checkArray(input, section);
  }
}

/** Whether a symbol marks the end of its section, as an empty function that comes last does. */
function isEmpty(object: LinkObject, symbol: number): boolean {
  const section = object.sectionOf(symbol);
  return section !== undefined && object.elf.symbols.value(symbol) >= section.elf.size;
}

const GIVE_CODE = "compilers drop the code of a function whose behaviour is undefined, such as an endless " +
  "loop in C++: correct the function, or compile it with -O0";

function withoutCode(what: string, object: LinkObject, symbol: number): LoadError {
  return new LoadError("Unsupported", `Cannot link module: the ${what} has no instructions`, {
    path: object.name,
    symbol: symbolName(object, symbol),
    hint: GIVE_CODE,
  });
}

function checkEntry({ resolution, locator, entry, problems }: RunnableInput): void {
  if (entry === undefined) return;
  const { globals, objects } = resolution;
  const symbol = globals.names.text(entry);
  const object: LinkObject | undefined = objects[globals.object(entry)];
  locator.global(entry);
  if (locator.found !== Found.DEFINED || locator.output.type !== SmfSectionType.Code) {
    const hint = "name a function that an input defines";
    const what = locator.found === Found.DEFINED ? "variable" : "constant";
    problems.add(
      new LoadError("Unsupported", `Cannot link module: the entry point is a ${what}`, {
        path: object?.name,
        symbol,
        hint,
      }),
    );
  } else if (
    object !== undefined && isEmpty(object, globals.symbol(entry)) &&
    object.elf.symbols.kind(globals.symbol(entry)) !== SymbolKind.GNU_IFUNC
  ) {
    problems.add(withoutCode("entry point", object, globals.symbol(entry)));
  }
}

/** Checks the function pointers of an array of initialisers or finalisers. */
function checkArray({ resolution, locator, problems }: RunnableInput, section: InputSection): void {
  const { object, elf } = section;
  if (!section.hasBytes) return;
  const { view } = object.elf.file;
  const bytes = section.bytes(), contents = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { output } = startupArray(section.name)!;
  const what = output === ".fini_array"
    ? "finaliser"
    : output === TLS_CALLBACKS
    ? "function for threads"
    : "initialiser";
  const refuse = (problem: string, facts: LoadErrorData): void =>
    problems.add(
      new LoadError("Unsupported", `Cannot link module: ${problem}`, {
        path: object.name,
        section: section.name,
        hint: "let the array hold functions of the same module",
        ...facts,
      }),
    );
  const count = Math.floor(elf.size / 8);
  const isAddress = new Uint8Array(count);
  for (let i = 0; i < elf.relaCount; i++) {
    const at = elf.relaOffset + i * RecordSize.RELA;
    const place = view.getUint32(at, true);
    const symbol = view.getUint32(at + 12, true);
    const addend = signed64(view, at + 16);
    isAddress[place >>> 3] = 1;
    locator.symbol(object, symbol, addend);
    const facts = { symbol: symbolName(object, symbol), offset: place };
    if (locator.found === Found.IMPORT) {
      // A weak name may stay undefined; then the loader skips the entry.
      if (resolution.globals.state(object.globalOf(symbol)) === State.WEAK_UNDEFINED) continue;
      refuse(`the ${what} is not a function of this module`, {
        ...facts,
        hint: "define it in one of the inputs, or call it from a function that one defines",
      });
    } else if (locator.found === Found.DEFINED) {
      const { output } = locator;
      const offset = locator.offset + (locator.addendUsed ? 0 : addend);
      if (output.type !== SmfSectionType.Code || !(offset >= 0 && offset <= output.contentSize)) {
        refuse(`the ${what} is not a function`, facts);
      } else if (offset === output.contentSize) {
        refuse(`the ${what} has no instructions`, { ...facts, hint: GIVE_CODE });
      }
    }
  }
  for (let i = 0; i < count; i++) {
    if (isAddress[i] === 1) continue;
    const [low, high] = [contents.getUint32(8 * i, true), contents.getUint32(8 * i + 4, true)];
    // Old tool chains mark the ends of such arrays by 0 and -1.
    if ((low === 0 && high === 0) || (low === 0xffff_ffff && high === 0xffff_ffff)) continue;
    refuse(`the ${what} is a number`, { offset: 8 * i });
  }
}
