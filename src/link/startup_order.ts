/**
 * Arrays of initialisers and finalisers: which sections go to them, and in which
 * order, which is that of GNU ld's script for shared libraries:
 *
 * ```text
 * .init_array : {
 *   *(SORT_BY_INIT_PRIORITY(.init_array.*) SORT_BY_INIT_PRIORITY(.ctors.*))
 *   *(.init_array EXCLUDE_FILE(*crtbegin.o *crtbegin?.o *crtend.o *crtend?.o) .ctors)
 * }
 * ```
 *
 * and the same with `.fini_array` and `.dtors`. Arrays of the old kind, `.ctors`
 * and `.dtors`, run from their other end, so their words are reversed.
 *
 * On Windows the arrays of the C runtime are parts of `.CRT`, in the order of their names: `.CRT$XI*`
 * and then `.CRT$XC*` are initialisers, `.CRT$XP*` and then `.CRT$XT*` terminators. These run from first
 * to last, so both parts and words are reversed. `.CRT$XL*` are called when threads begin or end, and `.CRT$XD*` make the
 * objects of a thread.
 */

/** Sections with arrays of initialisers and finalisers. */
const STARTUP =
  /^\.(preinit_array|init_array|fini_array|ctors|dtors|tls_callbacks|tls_init_array)(?:\..*)?$/s;

/** The array of functions that the system calls when threads begin or end. */
export const TLS_CALLBACKS = ".tls_callbacks";
/** The array of functions that make thread-local objects. */
export const TLS_INIT_ARRAY = ".tls_init_array";

/** The parts of arrays on Windows. */
const CRT_PART = /^\.CRT\$X([ICPTLD]).*$/s;

/** The letters behind the dot of all names that the two expressions match. They tell nearly all other names apart. */
const BEGINNINGS: ReadonlySet<number> = new Set(
  ["pr", "in", "fi", "ct", "dt", "tl", "CR"].map((letters) => beginning(`.${letters}`)),
);

/** The two characters behind the first one, as a number. */
function beginning(name: string): number {
  return name.charCodeAt(1) << 8 | name.charCodeAt(2);
}

/** The objects of compilers that hold nothing but the ends of arrays of the old kind, and walk those. */
const CRT_FILE = /crt(?:begin|end).?\.o\)?$/;

/** The highest priority that GNU ld reads as a number: INT_MAX. */
const MOST = 2 ** 31 - 1;

/** An array of initialisers or finalisers. */
export interface StartupArray {
  /** The output section: `.preinit_array`, `.init_array`, `.fini_array`, `.tls_callbacks` or `.tls_init_array`. */
  readonly output: string;
  /** Whether its words are reversed: `.ctors` and `.dtors` run from their end, arrays from their start. */
  readonly reversed: boolean;
}

/** The part of an input section that decides. */
interface NamedSection {
  readonly name: string;
  readonly object: { readonly name: string };
}

/** Returns the array that a section of this name belongs to; `undefined` for other sections. */
export function startupArray(name: string): StartupArray | undefined {
  if (!BEGINNINGS.has(beginning(name))) return undefined;
  const kind = STARTUP.exec(name)?.[1];
  if (kind === undefined) return crtArray(name);
  const output = kind === "ctors" ? ".init_array" : kind === "dtors" ? ".fini_array" : `.${kind}`;
  return { output, reversed: kind === "ctors" || kind === "dtors" };
}

function crtArray(name: string): StartupArray | undefined {
  const kind = CRT_PART.exec(name)?.[1];
  if (kind === undefined) return undefined;
  if (kind === "L") return { output: TLS_CALLBACKS, reversed: false };
  if (kind === "D") return { output: TLS_INIT_ARRAY, reversed: false };
  return kind === "I" || kind === "C"
    ? { output: ".init_array", reversed: false }
    : { output: ".fini_array", reversed: true };
}

/** Compares parts of `.CRT` as the C runtime runs them: by their names, but `I` before `C`. */
function compareCrt(a: string, b: string): number {
  const [first, second] = [a, b].map((name) => name.replace(/^(\.CRT\$X)I/, "$1\0"));
  return compareNames(first, second);
}

/**
 * As {@linkcode startupArray}, for a section of an object. `undefined` also for the marks that start
 * files of compilers put at both ends of `.ctors` and `.dtors`: their code walks from one to the
 * other, so these sections stay together, and empty.
 */
export function startupArrayOf({ name, object }: NamedSection): StartupArray | undefined {
  if ((name === ".ctors" || name === ".dtors") && CRT_FILE.test(object.name)) return undefined;
  return startupArray(name);
}

/** The priority that the end of a name gives, smaller ones first; -1 for a name without one. */
function priorityOf(name: string): number {
  const dot = name.lastIndexOf(".");
  const text = name.slice(dot + 1);
  if (!/^\d+$/.test(text)) return -1;
  const number = Number(text);
  // Old sections count their priorities down from 65535.
  const priority = dot === 6 && /^\.[cd]tors/.test(name) ? 65535 - number : number;
  return priority >= 0 && priority <= MOST ? priority : -1;
}

/** Compares names by their UTF-16 code units. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** By priority, then by name; by name alone if one of them has no priority. */
function compareStartup(a: string, b: string): number {
  const [first, second] = [priorityOf(a), priorityOf(b)];
  return first < 0 || second < 0 || first === second ? compareNames(a, b) : first - second;
}

/** Puts the sections of one array in order, in place: those with a suffix, then the others in the order of the inputs. */
export function sortStartup(sections: NamedSection[]): void {
  const byName = new Map<string, NamedSection[]>();
  const last: NamedSection[] = [];
  const crt: NamedSection[] = [];
  for (const section of sections) {
    const { name } = section;
    if (CRT_PART.test(name)) {
      crt.push(section);
      continue;
    }
    if (name.indexOf(".", 1) === -1) {
      last.push(section);
      continue;
    }
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [section]);
    else known.push(section);
  }
  const first = orderOf([...byName.keys()]).flatMap((name) => byName.get(name)!);
  crt.sort((a, b) => compareCrt(a.name, b.name));
  // Arrays of finalisers run from their end; the C runtime runs its terminators after all others.
  if (crt.length > 0 && startupArray(crt[0].name)!.reversed) crt.reverse();
  [...crt, ...first, ...last].forEach((section, position) => sections[position] = section);
}

/**
 * Orders different names as GNU ld does, by inserting one after the other into a binary tree. Where
 * names with and without priorities mix, the comparison is not an order (5 < 10 < 1a < 5), and any
 * other way of sorting has another result.
 */
function orderOf(names: readonly string[]): string[] {
  const isMixed = names.some((name) => priorityOf(name) < 0) && names.some((name) => priorityOf(name) >= 0);
  if (!isMixed) return names.toSorted(compareStartup);
  interface Node {
    readonly name: string;
    left?: Node;
    right?: Node;
  }
  const [root, ...rest] = names.map((name): Node => ({ name }));
  for (const node of rest) {
    for (let at = root;;) {
      const side = compareStartup(node.name, at.name) < 0 ? "left" : "right";
      const next = at[side];
      if (next === undefined) {
        at[side] = node;
        break;
      }
      at = next;
    }
  }
  // Without recursion: the tree of sorted names is as deep as there are names.
  const order: string[] = [];
  const above: Node[] = [];
  for (let at: Node | undefined = root; at !== undefined || above.length > 0;) {
    while (at !== undefined) {
      above.push(at);
      at = at.left;
    }
    const node = above.pop()!;
    order.push(node.name);
    at = node.right;
  }
  return order;
}
