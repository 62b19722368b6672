/**
 * Symbol resolution: decides which objects take part in a link and which definition each name has.
 * All input objects take part; archive members are pulled in as long as one of them defines a name
 * that is still undefined.
 */
import { archOf } from "./arch/mod.ts";
import { ArchiveIndex } from "./archive_index.ts";
import { Archive, type ArchiveMember, isArchive } from "./elf/archive.ts";
import { checkMachine, type ElfObject, parseObject } from "./elf/object.ts";
import { SectionFlag } from "../os/elf.ts";
import { SymbolPlace } from "./elf/symbols.ts";
import type { NameMatcher } from "../smf/glob.ts";
import { type Alias, Globals, State } from "./globals.ts";
import { ComdatGroups } from "./comdat.ts";
import { CRT_OBJECT_NAME, crtObject, crtSymbols, DSO_HANDLE } from "./crt_object.ts";
import { type InputSection, LinkObject } from "./input.ts";
import { isUtf8 } from "./elf/bytes.ts";
import type { NameAlias } from "./directives.ts";
import type { MapMember } from "./map.ts";
import { type LinkProgress, REPORT_EACH } from "./progress.ts";
import { Requests } from "./requests.ts";
import { WINDOWS_CRT_SYMBOLS, windowsCrtLibraries, windowsCrtObject } from "./crt_windows.ts";
import { Platform } from "../smf/enums.ts";
import { checkLinkable } from "./linkable.ts";
import { readObject } from "./object_file.ts";
import type { PartialBytes } from "./partial_input.ts";
import { malformed, type Problems } from "./problems.ts";

/** One file to link. */
export interface LinkInput {
  /** Its name in errors and in the map; usually the path. */
  readonly name: string;
  /** An ELF64, COFF or Mach-O object, an `ar` archive, or a file of Mach-O for several processors. */
  readonly bytes: Uint8Array;
  /** Links every member of an archive, as if each were an input of its own. Default: those that are needed. */
  readonly whole?: boolean;
  /** Keeps the names that an archive defines out of the exports. Default: false. */
  readonly excluded?: boolean;
}

/** An input as it is read. */
export interface ReadInput extends LinkInput {
  /** Reads the bytes of an archive or a member of one, if they are not all in memory. */
  readonly partial?: PartialBytes | undefined;
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
  /** The names that archives are searched for although the references to them are weak, by name number. */
  readonly #sought: Set<number> = new Set();
  /** Names that objects let stand for others. */
  readonly #standIns: NameAlias[] = [];
  /** The requests of all objects. */
  readonly requests: Requests = new Requests();
  /** The operating system that the module is for; undefined: that of the objects. */
  platform: number | undefined;
  readonly #readObject: typeof readObject;

  /** @param read Reads objects, or knows them. */
  constructor(problems: Problems, read = readObject) {
    this.#readObject = read;
    this.globals = new Globals(problems);
    this.#groups = new ComdatGroups(this.globals.names, problems);
    this.globals.objectName = (index) => this.objects[index]?.name ?? "the options";
  }

  /** Adds every object, then archive members until no name asks for another. */
  resolve(
    inputs: readonly ReadInput[],
    exports: NameMatcher | undefined,
    required: readonly string[],
    progress?: LinkProgress,
  ): void {
    const objects: ReadInput[] = [];
    for (const input of inputs) {
      if (!isArchive(input.bytes)) objects.push(input);
      else if (input.whole === true) objects.push(...membersOf(input));
      else {
        const archive = new Archive(input.name, input.bytes, input.partial);
        this.#addArchive(archive, input.excluded === true);
      }
    }
    for (const [index, { name, bytes, partial, excluded }] of objects.entries()) {
      if (index % REPORT_EACH === 0) progress?.("resolving names", index, objects.length);
      this.#addObject(this.#readObject(name, bytes, partial), true, excluded === true);
    }
    for (const { target } of this.#aliases.values()) this.#require(target);
    for (const name of [...(exports?.exact ?? []), ...required]) {
      this.#require(this.globals.names.internText(name));
    }
    if (exports !== undefined && exports.globs.length > 0) this.#requireMatches(exports);
    do {
      this.#pullQueued();
    } while (this.#pullForCommons() || this.#followRequests());
    this.#settleStandIns();
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

  /** Does what objects ask for where nothing else defines a name; returns whether that may need more members. */
  #followRequests(): boolean {
    const taken = this.requests.takeAliases(this.globals);
    this.#standIns.push(...taken);
    for (const { target } of taken) this.#require(this.globals.names.internText(target));
    const pointers = this.requests.missingPointers(this.globals);
    if (pointers !== undefined) this.#addObject(parseObject(CRT_OBJECT_NAME, pointers), false, false);
    return taken.length > 0 || pointers !== undefined;
  }

  /** Lets each undefined name that may stand for another be the first one after it that is defined. */
  #settleStandIns(): void {
    const { globals } = this;
    const others = new Map(this.#standIns.map(({ name, target }) => {
      return [globals.names.internText(name), globals.names.internText(target)];
    }));
    for (const id of others.keys()) {
      if (globals.isDefined(id)) continue;
      const passed = new Set([id]);
      let other = others.get(id);
      while (other !== undefined && !globals.isDefined(other) && !passed.has(other)) {
        passed.add(other);
        other = others.get(other);
      }
      const isDefined = other !== undefined && globals.isDefined(other);
      if (isDefined) this.#aliases.set(id, { target: other!, offset: 0 });
      // A fallback is a name, not the address 0.
      else if (globals.state(id) === State.WEAK_UNDEFINED) globals.require(id);
    }
  }

  /** Adds the object that defines the names of the C runtime, as far as they are undefined. */
  #addCrtObject(): void {
    const { names } = this.globals;
    const platform = this.platform ?? this.requests.platform;
    const isWindows = platform === Platform.Windows;
    const machine = this.objects.length === 0 ? 0 : this.objects[0].elf.machine;
    const wanted = (isWindows ? WINDOWS_CRT_SYMBOLS : crtSymbols(machine, platform)).filter((name) => {
      const state = this.globals.state(names.find(name));
      // With other linkers weak references to these names always resolve, so code calls them without a check.
      return state === State.UNDEFINED || state === State.WEAK_UNDEFINED;
    });
    if (wanted.length === 0) return;
    let bytes: Uint8Array;
    if (isWindows) {
      for (const library of windowsCrtLibraries(wanted)) this.requests.hostLibraries.add(library);
      bytes = windowsCrtObject(wanted);
    } else {
      const hasHandle = this.globals.isDefined(names.find(DSO_HANDLE));
      const all = hasHandle ? wanted : [...new Set([DSO_HANDLE, ...wanted])];
      bytes = crtObject(archOf(machine), all);
    }
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
      const id = this.#queue[i], state = this.globals.state(id);
      const isSought = state === State.UNDEFINED ||
        this.#sought.has(id) && (state === State.WEAK || state === State.WEAK_UNDEFINED);
      if (isSought && !this.#aliases.has(id)) this.#pull(id);
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
    this.#addObject(this.#readObject(member.name, member.bytes, member.partial), false, excluded);
  }

  /** Pulls in members that define a tentative definition for good (gABI); returns whether there were any. */
  #pullForCommons(): boolean {
    let changed = false;
    for (const id of this.globals.commons.keys()) {
      if (!this.#index.has(id) || this.globals.state(id) !== State.COMMON) continue;
      if (this.#loaded.has(this.#index.key(id))) continue;
      const member = this.#member(id);
      const object = readObject(member.name, member.bytes, member.partial);
      if (!definesInSection(object, this.globals.names.text(id))) continue;
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
    this.requests.add(elf);
    this.#internNames(object);
    for (const dropped of this.#groups.add(object)) this.#forget(dropped);
    const { symbols } = elf;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      const id = object.globalOf(i);
      this.globals.add(id, object, i, !(object.sectionOf(i)?.discarded ?? false));
      if (this.globals.state(id) === State.UNDEFINED && this.#index.has(id)) this.#queue.push(id);
    }
    for (const name of [...(elf.directives?.required ?? []), ...(elf.directives?.exports ?? [])]) {
      this.#require(this.globals.names.internText(name));
    }
    for (const name of elf.directives?.sought ?? []) {
      const id = this.globals.names.internText(name);
      this.#sought.add(id);
      if (this.#index.has(id)) this.#queue.push(id);
    }
    for (const section of object.sections) {
      if (section === undefined || (section.elf.flags & SectionFlag.LINK_ORDER) === 0) continue;
      const described = object.sections[section.elf.link];
      if (described !== undefined) (described.dependents ??= []).push(section);
    }
  }

  /** Takes back the definitions in a section that was discarded. */
  #forget({ object, elf: { index } }: InputSection): void {
    const { symbols } = object.elf;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      const id = object.globalOf(i);
      if (symbols.section(i) === index && this.globals.object(id) === object.index) this.globals.forget(id);
    }
  }

  #internNames(object: LinkObject): void {
    const { symbols, file } = object.elf;
    const hasVersions = this.requests.platform !== Platform.Windows;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      const start = symbols.nameStart(i);
      let end = symbols.nameEnd(i);
      // `name@@VERSION` defines the default version of `name`, which references to `name` mean; names of C++ on
      // Windows have these letters, too.
      let ascii = true;
      for (let at = start; at < end; at++) {
        if (file.bytes[at] >= 0x80) ascii = false;
        if (file.bytes[at] === 0x40 && file.bytes[at + 1] === 0x40 && at > start && hasVersions) end = at;
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
function membersOf({ name, bytes, partial, excluded = false }: ReadInput): ReadInput[] {
  return [...new Archive(name, bytes, partial).objects()].map((member) => ({ ...member, excluded }));
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
