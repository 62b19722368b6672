/**
 * The options of a link.
 */
import { BOOLEAN, NUMBER, oneOf, type OptionTable, RECORD, SET, STRING, STRINGS } from "../errors/options.ts";

/** How {@linkcode linkObjects} links. */
export interface LinkOptions {
  /**
   * The names that the module exports, as exact names and globs (`*` matches any
   * characters, `?` one). An exact name must exist. Archive members that define
   * one of them are pulled in. Default: every global of default visibility that
   * an input object, rather than an archive member, defines; if objects say what they export
   * (`__declspec(dllexport)`), only that.
   */
  readonly exports?: readonly string[];
  /** The function at which execution starts. Makes the module executable. */
  readonly entry?: string;
  /** Whether the module has no entry point if no input defines `entry`. Default: that is an error. */
  readonly optionalEntry?: boolean;
  /** Symbols and sections that stay even if nothing reaches them, as exact names and globs. */
  readonly keep?: readonly string[];
  /**
   * Further names that the module exports if an input defines them, as exact names and globs. No archive
   * member is pulled in for them. Default: none.
   */
  readonly exportList?: readonly string[];
  /**
   * Names that the module exports besides those that the other options say, or the default, as exact names and
   * globs; members of archives that are linked count, too. Default: none.
   */
  readonly exportAlso?: readonly string[];
  /**
   * Names that the module does not export although another option or the default would, as exact names and globs.
   * An exact name in `exports` or `exportAlso` beats a glob here. Default: none.
   */
  readonly hide?: readonly string[];
  /** Like `undefined`, but a name that no input defines is an error. Default: none. */
  readonly requireDefined?: readonly string[];
  /** Takes the first of several definitions of a name. Default: they are an error. */
  readonly allowMultipleDefinition?: boolean;
  /** A function to run before all other initialisers. */
  readonly init?: string;
  /** A function to run after all other finalisers. */
  readonly fini?: string;
  /** Names to treat as undefined, so that archive members that define them are pulled in, and to keep. */
  readonly undefined?: readonly string[];
  /** Leads references to each `NAME` to `__wrap_NAME`, and references to `__real_NAME` to `NAME`. */
  readonly wrap?: readonly string[];
  /** Defines names: as a constant, as another name of the link, or as `NAME+NUMBER` or `NAME-NUMBER`. */
  readonly defsym?: Readonly<Record<string, number | string>>;
  /** Refuses names that no input defines, unless `allowUndefined` has them. Default: they become imports. */
  readonly noUndefined?: boolean;
  /** Names that `noUndefined` takes for defined, because a host library has them. Default: none. */
  readonly provided?: ReadonlySet<string>;
  /**
   * Names that may stay undefined when the module is loaded, as exact names and globs. A call of a function
   * that is missing then ends the process, with a line on standard error that names function and module; the
   * address of a variable, and of a name that is declared weak, is 0.
   */
  readonly allowUndefined?: readonly string[];
  /**
   * Makes a module that may be replaced while it runs, with its variables where they are: it lists their homes,
   * and the loader applies every reference to them. Default: false.
   */
  readonly reloadable?: boolean;
  /**
   * Makes a module whose running code takes up new code, too: calls inside the module and addresses of functions
   * lead through entries, which a reload switches. Implies `reloadable`. The map lists the functions whose calls
   * stay within their version (`unswitched`). Virtual tables and type information of C++ stay where they are, too,
   * so that objects, `dynamic_cast` and exceptions work over versions. Default: false.
   */
  readonly hot?: boolean;
  /**
   * The number of slots that a hot module has behind each virtual table for virtual functions of later versions,
   * from 0 to 4096. Default: 16.
   */
  readonly spareVirtuals?: number;
  /**
   * Whether the module keeps call frame information. Without it, exceptions and
   * backtraces end at the module. Default: if the module handles or raises
   * exceptions, or holds C++ or Rust code by its names, so that exceptions may
   * pass through.
   */
  readonly unwind?: boolean;
  /** Whether the map lists each global name with the objects that define it and refer to it. Default: false. */
  readonly cref?: boolean;
  /**
   * Sections, by their own names or those of symbols in them, of which the map says why they are in the module or
   * not, as exact names and globs. Default: none.
   */
  readonly whyLive?: readonly string[];
  /** Leaves out the names of symbols that are not exported, and debug information unless `debug` asks for it. */
  readonly strip?: boolean;
  /**
   * Whether the module keeps the types of its exports and writable variables, from the debug information
   * (DWARF 2 to 5) of the objects. `keep`: as far as there is any that can be read; `require`: an object
   * that defines such a name without readable debug information is an error; `off`: no types.
   * Default: `keep`.
   */
  readonly types?: "keep" | "require" | "off";
  /**
   * The place of the objects' debug information (DWARF 2 to 5). `keep`: the module has it, in sections
   * that loading never reads; `off`: it is left out; any other text: `debugFile` of the result has it, and the
   * module looks for it in a file of this name, without folders, beside its own.
   * Default: `keep`, and `off` with `strip`.
   */
  readonly debug?: string;
  /** Whether debug information in the module is compressed, with zstd. Default: false. */
  readonly compressDebug?: boolean;
  /**
   * The processor that the code needs: `x86-64-v2`, `x86-64-v3` or `x86-64-v4`; `armv8.1-a`, `armv8.2-a` or
   * `armv8.3-a`. A processor without it refuses the module. Default: what the objects say
   * (GNU_PROPERTY_X86_ISA_1_NEEDED, which gcc writes with `-mneeded`), and never less than that.
   */
  readonly cpu?: string;
  /**
   * The operating system, a `Platform`. Default: that of the objects, if their format tells it (COFF,
   * Mach-O); else Linux. Code for macOS can be linked for Linux, too.
   */
  readonly platform?: number;
  /**
   * Shared libraries of the host, by the names that its dynamic linker knows, in
   * which the loader looks for imports. It looks in the C library by itself.
   * Default: none.
   */
  readonly needed?: readonly string[];
  /** The layout of the file. Default: H96. */
  readonly layout?: "H96" | "H72";
}

/** The type of each option. */
export const LINK_OPTIONS: OptionTable<LinkOptions> = {
  exports: STRINGS,
  entry: STRING,
  optionalEntry: BOOLEAN,
  exportList: STRINGS,
  exportAlso: STRINGS,
  hide: STRINGS,
  requireDefined: STRINGS,
  allowMultipleDefinition: BOOLEAN,
  init: STRING,
  fini: STRING,
  undefined: STRINGS,
  wrap: STRINGS,
  defsym: RECORD,
  noUndefined: BOOLEAN,
  provided: SET,
  allowUndefined: STRINGS,
  keep: STRINGS,
  reloadable: BOOLEAN,
  hot: BOOLEAN,
  spareVirtuals: NUMBER,
  unwind: BOOLEAN,
  cref: BOOLEAN,
  whyLive: STRINGS,
  strip: BOOLEAN,
  types: oneOf("keep", "require", "off"),
  debug: STRING,
  compressDebug: BOOLEAN,
  cpu: STRING,
  needed: STRINGS,
  platform: NUMBER,
  layout: oneOf("H96", "H72"),
};
