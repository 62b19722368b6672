/**
 * Decides which objects take part in a link and which definition each name has:
 * objects named directly, then archive members, pulled in as long as one of them
 * defines something that is still undefined.
 */
import { archOf } from "./arch/mod.ts";
import { Archive, type ArchiveMember, isArchive } from "./elf/archive.ts";
import { checkMachine, type ElfObject, parseObject } from "./elf/object.ts";
import { SectionFlag, SectionIndex, SHN_X86_64_LCOMMON } from "../os/elf.ts";
import type { NameMatcher } from "../smf/glob.ts";
import { Globals, State } from "./globals.ts";
import { DSO_HANDLE, HELPER_NAMES, helperObject, HELPERS_NAME } from "./crt_object.ts";
import { type InputSection, LinkObject } from "./input.ts";
import { isUtf8, malformed, unsupported } from "./elf/bytes.ts";
import type { MapMember } from "./map.ts";
import { grown } from "./names.ts";
import type { Problems } from "./problems.ts";
import { isFragment } from "./section_names.ts";

/** One file to link. */
export interface LinkInput {
  /** What errors and the map call it; usually the path. */
  readonly name: string;
  /** An ELF64 relocatable object or an `ar` archive. */
  readonly bytes: Uint8Array;
}

/**
 * What the symbol indexes of archives promise: for each name number the archive
 * and the member, of which the first wins. Two typed arrays, since an archive of
 * a large library promises tens of thousands of names.
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

  /** One text for each member, to remember what is loaded. */
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
  readonly #promises: ArchiveIndex = new ArchiveIndex();
  readonly #loaded: Set<string> = new Set();
  readonly #queue: number[] = [];
  /** Signatures of COMDAT groups that are in, as name numbers or as section names. */
  readonly #signatures: Set<number | string> = new Set();

  constructor(problems: Problems) {
    this.globals = new Globals(problems);
    this.globals.objectName = (index) => this.objects[index]?.name ?? "the options";
  }

  /** Adds every input, then members until nothing changes. */
  resolve(inputs: readonly LinkInput[], exports: NameMatcher | undefined, required: readonly string[]): void {
    const objects: LinkInput[] = [];
    for (const input of inputs) {
      if (isArchive(input.bytes)) this.#addArchive(new Archive(input.name, input.bytes));
      else objects.push(input);
    }
    for (const { name, bytes } of objects) this.#addObject(parseObject(name, bytes), true);
    for (const name of [...(exports?.exact ?? []), ...required]) {
      this.#require(this.globals.names.internText(name));
    }
    if (exports !== undefined && exports.globs.length > 0) this.#requireMatches(exports);
    do {
      this.#drain();
    } while (this.#pullForCommons());
    if (this.objects.length > 0) this.#addHelpers();
  }

  /** What is undefined still and what only the linker can define. */
  #addHelpers(): void {
    const { names } = this.globals;
    const wanted = HELPER_NAMES.filter((name) => {
      const state = this.globals.state(names.find(name));
      // Other linkers always have a handle, so it answers weak references too.
      return state === State.UNDEFINED || name === DSO_HANDLE && state === State.WEAK_UNDEFINED;
    });
    if (wanted.length === 0) return;
    const all = this.globals.isDefined(names.find(DSO_HANDLE))
      ? wanted
      : [...new Set([DSO_HANDLE, ...wanted])];
    const bytes = helperObject(archOf(this.objects[0].elf.machine), all);
    this.#addObject(parseObject(HELPERS_NAME, bytes), false);
  }

  #addArchive(archive: Archive): void {
    const index = this.#archives.push(archive) - 1;
    archive.visitIndex((bytes, start, end, header) => {
      const id = this.globals.names.intern(bytes, start, end);
      this.#promises.add(id, index, header);
    });
  }

  #require(id: number): void {
    if (this.globals.require(id) && this.#promises.has(id)) this.#queue.push(id);
  }

  /** An exported glob pulls in every member that defines a matching name. */
  #requireMatches(exports: NameMatcher): void {
    const { names } = this.globals;
    for (let id = 0; id < names.length; id++) {
      if (this.#promises.has(id) && exports.matches(names.text(id))) this.#require(id);
    }
  }

  #drain(): void {
    // The queue grows while it is walked: members bring new undefined names.
    for (let i = 0; i < this.#queue.length; i++) {
      const id = this.#queue[i];
      if (this.globals.state(id) === State.UNDEFINED) this.#pull(id);
    }
    this.#queue.length = 0;
  }

  #pull(id: number): void {
    const key = this.#promises.key(id);
    if (this.#loaded.has(key)) return;
    this.#loaded.add(key);
    const member = this.#member(id);
    const by = this.objects[this.globals.object(id)];
    this.pulled.push({
      member: member.name,
      symbol: this.globals.names.text(id),
      ...(by === undefined ? {} : { neededBy: by.name }),
    });
    this.#addObject(parseObject(member.name, member.bytes), false);
  }

  /** gABI: a tentative definition also pulls in a member, if that has a real one. */
  #pullForCommons(): boolean {
    let changed = false;
    for (const id of this.globals.commons.keys()) {
      if (!this.#promises.has(id) || this.globals.state(id) !== State.COMMON) continue;
      if (this.#loaded.has(this.#promises.key(id))) continue;
      const member = this.#member(id);
      if (!definesInSection(parseObject(member.name, member.bytes), this.globals.names.text(id))) continue;
      this.#pull(id);
      changed = true;
    }
    return changed;
  }

  #member(id: number): ArchiveMember {
    return this.#archives[this.#promises.archive(id)].member(this.#promises.header(id));
  }

  #addObject(elf: ElfObject, direct: boolean): void {
    const object = new LinkObject(elf, this.objects.length, direct);
    if (object.index > 0) checkMachine(this.objects[0].elf, elf);
    checkLinkable(object);
    this.objects.push(object);
    this.#internNames(object);
    this.#settleGroups(object);
    const { symbols } = elf;
    for (let i = symbols.firstGlobal; i < symbols.length; i++) {
      const id = object.globalOf(i);
      this.globals.add(id, object, i, !(object.sectionOf(i)?.discarded ?? false));
      if (this.globals.state(id) === State.UNDEFINED && this.#promises.has(id)) this.#queue.push(id);
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
      // `name@@VERSION` defines the default version of `name`, which is what references mean.
      let ascii = true;
      for (let at = start; at < end; at++) {
        if (file.bytes[at] >= 0x80) ascii = false;
        if (file.bytes[at] === 0x40 && file.bytes[at + 1] === 0x40 && at > start) end = at;
      }
      if (start === end) throw malformed(object.name, "a global symbol has no name", { value: i });
      if (!ascii && !isUtf8(file.bytes, start, end)) {
        throw malformed(object.name, "a symbol's name is not UTF-8", { symbol: symbols.name(i), value: i });
      }
      object.globals[i - symbols.firstGlobal] = this.globals.names.intern(file.bytes, start, end);
    }
  }

  /** Discards the groups whose signature is in the link already. */
  #settleGroups(object: LinkObject): void {
    const { elf } = object;
    for (const group of elf.groups) {
      const members = group.members.map((index) => object.sections[index]).filter((section) =>
        section !== undefined
      );
      const id = group.symbol === -1 ? -1 : object.globalOf(group.symbol);
      const signature = id !== -1
        ? id
        : group.symbol === -1
        ? elf.sections[group.section].name
        : elf.symbols.name(group.symbol);
      this.#admit(signature, members);
    }
    // What compilers used before there were groups: the section's name is the signature.
    for (const section of object.sections) {
      if (section !== undefined && section.name.startsWith(".gnu.linkonce.")) {
        this.#admit(section.name, [section]);
      }
    }
  }

  #admit(signature: number | string, members: readonly InputSection[]): void {
    const discarded = this.#signatures.has(signature);
    this.#signatures.add(signature);
    for (const section of members) {
      section.group = members;
      if (discarded) section.discarded = true;
    }
  }
}

/** Whether the object has a definition of `name` that is more than tentative. */
function definesInSection({ symbols }: ElfObject, name: string): boolean {
  for (let i = symbols.firstGlobal; i < symbols.length; i++) {
    const section = symbols.section(i);
    if (section === SectionIndex.UNDEF || section === SectionIndex.COMMON || section === SHN_X86_64_LCOMMON) {
      continue;
    }
    if (symbols.name(i) === name) return true;
  }
  return false;
}

/** Whether a section has a global symbol, as the start files of C compilers have `_init`. */
function definesSymbolIn({ elf: { symbols } }: LinkObject, section: number): boolean {
  for (let i = symbols.firstGlobal; i < symbols.length; i++) {
    if (symbols.inSection(i) && symbols.section(i) === section) return true;
  }
  return false;
}

/** Refuses what would link into something that cannot run. */
function checkLinkable(object: LinkObject): void {
  const { sections } = object.elf;
  let intermediate = false;
  let code = false;
  for (const section of sections) {
    const { name, flags, size } = section;
    if (name === ".note.GNU-stack" && (flags & SectionFlag.EXECINSTR) !== 0) {
      throw unsupported(
        object.name,
        "the object asks for an executable stack: compile without nested functions",
        {
          section: name,
        },
      );
    }
    if (name.startsWith(".gnu.lto_")) intermediate = true;
    if ((flags & SectionFlag.ALLOC) === 0 || size === 0) continue;
    code = true;
    if (isFragment(name) && definesSymbolIn(object, section.index)) {
      throw unsupported(
        object.name,
        "this begins _init or _fini, which the linker does itself: leave crti.o out",
        {
          section: name,
        },
      );
    }
    if ((flags & SectionFlag.COMPRESSED) !== 0) {
      throw malformed(object.name, "an allocated section is compressed", { section: name });
    }
    if ((flags & SectionFlag.WRITE) !== 0 && (flags & SectionFlag.EXECINSTR) !== 0) {
      throw unsupported(object.name, "a section is writable and executable: declare it one or the other", {
        section: name,
      });
    }
    // Bit 31, which `flags` holds as its sign.
    if (flags < 0) object.sections[section.index]!.discarded = true;
  }
  if (intermediate && !code) {
    throw unsupported(object.name, "the object holds only intermediate code: compile without -flto");
  }
}
