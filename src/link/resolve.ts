/**
 * Symbol resolution: decides which objects take part in a link and which definition each name has.
 * All input objects take part; archive members are pulled in as long as one of them defines a name
 * that is still undefined.
 */
import { archOf } from "./arch/mod.ts";
import { Archive, type ArchiveMember, isArchive } from "./elf/archive.ts";
import { checkMachine, type ElfObject, isElf, parseObject } from "./elf/object.ts";
import { SectionFlag } from "../os/elf.ts";
import { SymbolPlace } from "./elf/symbols.ts";
import type { NameMatcher } from "../smf/glob.ts";
import { type Alias, Globals, State } from "./globals.ts";
import { ComdatGroups } from "./comdat.ts";
import { CRT_OBJECT_NAME, CRT_SYMBOLS, crtObject, DSO_HANDLE } from "./crt_object.ts";
import { LinkObject } from "./input.ts";
import { isUtf8 } from "./elf/bytes.ts";
import type { MapMember } from "./map.ts";
import { grown } from "../types/growing.ts";
import { malformed, type Problems, unsupported } from "./problems.ts";
import { isFragment } from "./section_names.ts";

/** One file to link. */
export interface LinkInput {
  /** Its name in errors and in the map; usually the path. */
  readonly name: string;
  /** An ELF64 relocatable object or an `ar` archive. */
  readonly bytes: Uint8Array;
  /** Links every member of an archive, as if each were an input of its own. Default: those that are needed. */
  readonly whole?: boolean;
  /** Keeps the names that an archive defines out of the exports. Default: false. */
  readonly excluded?: boolean;
}

/**
 * The symbol indexes of all archives: for each name number the archive and the member that defines
 * it; the first wins. Two typed arrays, since the index of a large library has tens of thousands of names.
 */
class ArchiveIndex {
  #archives: Int32Array = new Int32Array(1024).fill(-1);
  #headers: Float64Array = new Float64Array(1024);

  add(id: number, archive: number, header: number): void {
    while (id >= this.#archives.length) {
      const length = this.#archives.length;
      this.#archives = grown(this.#archives).fill(-1, length);
      this.#headers = grown(this.#headers);
    }
    if (this.#archives[id] !== -1) return;
    this.#archives[id] = archive;
    this.#headers[id] = header;
  }

  has(id: number): boolean {
    return id < this.#archives.length && this.#archives[id] !== -1;
  }

  archive(id: number): number {
    return this.#archives[id];
  }

  header(id: number): number {
    return this.#headers[id];
  }

  /** Identifies the member, to remember which ones are loaded. */
  key(id: number): string {
    return `${this.#archives[id]}:${this.#headers[id]}`;
  }
}

/** All objects of a link and their global symbols. */
export class Resolution {
  readonly objects: LinkObject[] = [];
  readonly globals: Globals;
  readonly pulled: MapMember[] = [];
  readonly #archives: Archive[] = [];
  readonly #index: ArchiveIndex = new ArchiveIndex();
  readonly #loaded: Set<string> = new Set();
  readonly #queue: number[] = [];
  readonly #groups: ComdatGroups;
  /** The archives whose names are not exported, by index. */
  readonly #excluded: Set<number> = new Set();
  /** The names that undefined references to a name mean instead, by name number. */
  readonly #wrapped: Map<number, number> = new Map();
  /** The names that are defined as other names, by name number. */
  readonly #aliases: Map<number, Alias> = new Map();

  constructor(problems: Problems) {
    this.globals = new Globals(problems);
    this.#groups = new ComdatGroups(this.globals.names);
    this.globals.objectName = (index) => this.objects[index]?.name ?? "the options";
  }

  /** Adds every object, then archive members until no name asks for another. */
  resolve(inputs: readonly LinkInput[], exports: NameMatcher | undefined, required: readonly string[]): void {
    const objects: LinkInput[] = [];
    for (const input of inputs) {
      if (!isArchive(input.bytes)) objects.push(input);
      else if (input.whole === true) objects.push(...membersOf(input));
      else this.#addArchive(new Archive(input.name, input.bytes), input.excluded === true);
    }
    for (const { name, bytes, excluded } of objects) {
      this.#addObject(parseObject(name, bytes), true, excluded === true);
    }
    for (const { target } of this.#aliases.values()) this.#require(target);
    for (const name of [...(exports?.exact ?? []), ...required]) {
      this.#require(this.globals.names.internText(name));
    }
    if (exports !== undefined && exports.globs.length > 0) this.#requireMatches(exports);
    do {
      this.#pullQueued();
    } while (this.#pullForCommons());
    this.globals.define(this.#aliases);
    if (this.objects.length > 0) this.#addCrtObject();
  }

  /** Leads undefined references to `NAME` to `__wrap_NAME`, and those to `__real_NAME` to `NAME`. */
  wrap(wrapped: readonly string[]): void {
    const { names } = this.globals;
    for (const name of wrapped) {
      const id = names.internText(name);
      this.#wrapped.set(id, names.internText(`__wrap_${name}`));
      this.#wrapped.set(names.internText(`__real_${name}`), id);
    }
  }

  /** Defines names as other names, instead of any other definition. */
  alias(aliases: ReadonlyMap<string, { readonly base: string; readonly offset: number }>): void {
    const { names } = this.globals;
    for (const [name, { base, offset }] of aliases) {
      this.#aliases.set(names.internText(name), { target: names.internText(base), offset });
    }
  }

  /** Adds the object that defines the names of the C runtime, as far as they are undefined. */
  #addCrtObject(): void {
    const { names } = this.globals;
    const wanted = CRT_SYMBOLS.filter((name) => {
      const state = this.globals.state(names.find(name));
      // With other linkers weak references to these names always resolve, so code calls them without a check.
      return state === State.UNDEFINED || state === State.WEAK_UNDEFINED;
    });
    if (wanted.length === 0) return;
    const all = this.globals.isDefined(names.find(DSO_HANDLE))
      ? wanted
      : [...new Set([DSO_HANDLE, ...wanted])];
    const bytes = crtObject(archOf(this.objects[0].elf.machine), all);
    this.#addObject(parseObject(CRT_OBJECT_NAME, bytes), false, false);
  }

  #addArchive(archive: Archive, excluded: boolean): void {
    const index = this.#archives.push(archive) - 1;
    if (excluded) this.#excluded.add(index);
    archive.visitIndex((bytes, start, end, header) => {
      const id = this.globals.names.intern(bytes, start, end);
      this.#index.add(id, index, header);
    });
  }

  #require(id: number): void {
    if (this.globals.require(id) && this.#index.has(id)) this.#queue.push(id);
  }

  /** Requires every name in the archives that an exported glob matches. */
  #requireMatches(exports: NameMatcher): void {
    const { names } = this.globals;
    for (let id = 0; id < names.length; id++) {
      if (this.#index.has(id) && exports.matches(names.text(id))) this.#require(id);
    }
  }

  #pullQueued(): void {
    // The queue grows meanwhile: members bring new undefined names.
    for (let i = 0; i < this.#queue.length; i++) {
      const id = this.#queue[i];
      if (this.globals.state(id) === State.UNDEFINED && !this.#aliases.has(id)) this.#pull(id);
    }
    this.#queue.length = 0;
  }

  #pull(id: number): void {
    const key = this.#index.key(id);
    if (this.#loaded.has(key)) return;
    this.#loaded.add(key);
    const member = this.#member(id);
    const by = this.objects[this.globals.object(id)];
    this.pulled.push({
      member: member.name,
      symbol: this.globals.names.text(id),
      ...(by === undefined ? {} : { neededBy: by.name }),
    });
    const excluded = this.#excluded.has(this.#index.archive(id));
    this.#addObject(parseObject(member.name, member.bytes), false, excluded);
  }

  /** Pulls in members that define a tentative definition for good (gABI); returns whether there were any. */
  #pullForCommons(): boolean {
    let changed = false;
    for (const id of this.globals.commons.keys()) {
      if (!this.#index.has(id) || this.globals.state(id) !== State.COMMON) continue;
      if (this.#loaded.has(this.#index.key(id))) continue;
      const member = this.#member(id);
      if (!definesInSection(parseObject(member.name, member.bytes), this.globals.names.text(id))) continue;
      this.#pull(id);
      changed = true;
    }
    return changed;
  }

  #member(id: number): ArchiveMember {
    return this.#archives[this.#index.archive(id)].member(this.#index.header(id));
  }

  #addObject(elf: ElfObject, direct: boolean, excluded: boolean): void {
    const object = new LinkObject(elf, this.objects.length, direct, excluded);
    if (object.index > 0) checkMachine(this.objects[0].elf, elf);
    checkLinkable(object);
    this.objects.push(object);
    this.#internNames(object);
    this.#groups.add(object);
    const { symbols } = elf;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      const id = object.globalOf(i);
      this.globals.add(id, object, i, !(object.sectionOf(i)?.discarded ?? false));
      if (this.globals.state(id) === State.UNDEFINED && this.#index.has(id)) this.#queue.push(id);
    }
    for (const section of object.sections) {
      if (section === undefined || (section.elf.flags & SectionFlag.LINK_ORDER) === 0) continue;
      const described = object.sections[section.elf.link];
      if (described !== undefined) (described.dependents ??= []).push(section);
    }
  }

  #internNames(object: LinkObject): void {
    const { symbols, file } = object.elf;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      const start = symbols.nameStart(i);
      let end = file.nameEnd(start, file.bytes.length);
      // `name@@VERSION` defines the default version of `name`, which references to `name` mean.
      let ascii = true;
      for (let at = start; at < end; at++) {
        if (file.bytes[at] >= 0x80) ascii = false;
        if (file.bytes[at] === 0x40 && file.bytes[at + 1] === 0x40 && at > start) end = at;
      }
      if (start === end) throw malformed(object.name, "a global symbol has no name", { value: i });
      if (!ascii && !isUtf8(file.bytes, start, end)) {
        throw malformed(object.name, "a symbol's name is not UTF-8", { symbol: symbols.name(i), value: i });
      }
      const id = this.globals.names.intern(file.bytes, start, end);
      const isReference = symbols.place(i) === SymbolPlace.UNDEFINED;
      object.globals[i - symbols.firstGlobal] = (isReference ? this.#wrapped.get(id) : undefined) ?? id;
    }
  }
}

/** The objects in an archive that is linked whole; other members, such as texts, are left out. */
function membersOf({ name, bytes, excluded = false }: LinkInput): LinkInput[] {
  const members = [...new Archive(name, bytes).members()].filter((member) => isElf(member.bytes));
  return members.map((member) => ({ name: member.name, bytes: member.bytes, excluded }));
}

/** Whether the object has a definition of `name` that is not tentative. */
function definesInSection({ symbols }: ElfObject, name: string): boolean {
  for (let i = symbols.firstGlobal; i < symbols.length; i++) {
    const place = symbols.place(i);
    if (place === SymbolPlace.UNDEFINED || place === SymbolPlace.COMMON) continue;
    if (symbols.name(i) === name) return true;
  }
  return false;
}

/** Whether a section defines a global symbol, as the start files of C compilers define `_init`. */
function definesSymbolIn({ elf: { symbols } }: LinkObject, section: number): boolean {
  for (let i = symbols.firstGlobal; i < symbols.length; i++) {
    if (symbols.section(i) === section) return true;
  }
  return false;
}

/** Refuses objects that would link to a module that cannot run. */
function checkLinkable(object: LinkObject): void {
  const { sections } = object.elf;
  let hasLto = false;
  let hasContent = false;
  for (const section of sections) {
    const { name, flags, size } = section;
    if (name === ".note.GNU-stack" && (flags & SectionFlag.EXECINSTR) !== 0) {
      throw unsupported(object.name, "the object asks for an executable stack", {
        section: name,
        hint: "compile without nested functions; " +
          'in assembly write .section .note.GNU-stack,"",@progbits',
      });
    }
    if (name.startsWith(".gnu.lto_")) hasLto = true;
    if ((flags & SectionFlag.ALLOC) === 0 || size === 0) continue;
    hasContent = true;
    if (isFragment(name) && definesSymbolIn(object, section.index)) {
      throw unsupported(object.name, "the section defines _init or _fini, which the linker makes itself", {
        section: name,
        hint: "leave crti.o and crtn.o out",
      });
    }
    if ((flags & SectionFlag.COMPRESSED) !== 0) {
      throw malformed(object.name, "an allocated section is compressed", { section: name });
    }
    if ((flags & SectionFlag.WRITE) !== 0 && (flags & SectionFlag.EXECINSTR) !== 0) {
      throw unsupported(object.name, "a section is writable and executable", {
        section: name,
        hint: "put code and variables into sections of their own; " +
          "code that modifies itself cannot be loaded",
      });
    }
    // SHF_EXCLUDE is bit 31, which `flags` holds as its sign.
    if (flags < 0) object.sections[section.index]!.discarded = true;
  }
  if (hasLto && !hasContent) {
    throw unsupported(object.name, "the object holds only intermediate code for link-time optimization", {
      hint: "compile without -flto, or with -ffat-lto-objects",
    });
  }
}
