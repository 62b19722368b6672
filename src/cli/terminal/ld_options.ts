/**
 * The options of `ld` by name: those with a meaning for modules, and those without one, which `smf ld` ignores.
 */

/** Options with a value, by every spelling. */
export const VALUES: Readonly<Record<string, string>> = {
  ...names(
    "output entry export keep spare-virtuals unwind cpu types debug compress-debug-sections needed platform color wrap defsym version-script dynamic-list exclude-libs " +
      "allow-undefined undefined require-defined library library-path Map init fini dependency-file sysroot " +
      "export-dynamic-symbol export-dynamic-symbol-list trace-symbol why-live",
  ),
  ...{ o: "output", e: "entry", u: "undefined", l: "library", L: "library-path", y: "trace-symbol" },
};

/** Options without a value. */
export const SWITCHES: Readonly<Record<string, string>> = {
  ...names(
    "reloadable hot strip map cref no-undefined print-gc-sections allow-multiple-definition trace version json demangle",
  ),
  ...{ s: "strip", "strip-all": "strip", M: "map", "print-map": "map", t: "trace" },
  ...{ S: "strip-debug", "strip-debug": "strip-debug" },
  ...{ C: "demangle" },
  ...{ v: "print-version", V: "print-version" },
};

/** The options among these of one letter, whose values may follow without a space. */
export const JOINED = /^[oeulLy]./;

/** The options of `ld` that others stand for; null for those that take one back. */
export const SYNONYMS: Readonly<Record<string, readonly [option: string, value?: string] | null>> = {
  "-z defs": ["no-undefined"],
  "-z undefs": null,
  "-z muldefs": ["allow-multiple-definition"],
  "-z x86-64-v2": ["cpu", "x86-64-v2"],
  "-z x86-64-v3": ["cpu", "x86-64-v3"],
  "-z x86-64-v4": ["cpu", "x86-64-v4"],
  "unresolved-symbols=report-all": ["no-undefined"],
  "unresolved-symbols=ignore-all": null,
  "unresolved-symbols=ignore-in-object-files": null,
  "unresolved-symbols=ignore-in-shared-libs": ["no-undefined"],
  "error-unresolved-symbols": ["no-undefined"],
  "warn-unresolved-symbols": null,
};

/**
 * Options with a value apart, or behind `=`, that do not matter for modules: names and places of shared libraries,
 * addresses (the loader chooses them), and the linker's own ways.
 */
export const IGNORED_VALUES: ReadonlySet<string> = new Set(
  ("m z h soname rpath rpath-link dynamic-linker I plugin plugin-opt hash-style f auxiliary F filter audit P " +
    "depaudit Y a A assert G O image-base section-start Ttext Tdata Tbss Ttext-segment Trodata-segment " +
    "Tldata-segment retain-symbols-file sort-section sort-common max-cache-size spare-dynamic-tags reproduce repro")
    .split(" "),
);

/** Options of one letter among these, whose values may follow without a space. */
export const IGNORED_JOINED = /^[mzhfOIFPYGAa]./;

/** Options without a value, or with one behind `=` that may be absent, that do not matter for modules. */
export const IGNORED: RegExp = new RegExp(
  "^(?:" + [
    // The kind of file: a module is always the same.
    "shared|Bshareable|pie|pic-executable|no-pie|no-pic-executable|nostdlib|no-dynamic-linker|EL|export-dynamic|E|" +
    "no-export-dynamic|Bsymbolic.*|Bno-symbolic|Bgroup|traditional-format|hash-style|build-id(?:=.*)?",
    // A module always has these, or never.
    "(?:no-)?eh-frame-hdr|(?:no-)?gc-sections|(?:no-)?gc-keep-exported|(?:no-)?relax|(?:no-)?ctors-in-init-array|" +
    "(?:enable|disable)-new-dtags|(?:no-)?ld-generated-unwind-info|pack-dyn-relocs=.*|(?:no-)?rosegment|" +
    "(?:no-)?(?:use-android-relr-tags|apply-dynamic-relocs|execute-only|omagic|omit-padding)|n|nmagic|N|q|emit-relocs|" +
    "package-metadata(?:=.*)?|default-symver|default-imported-symver|(?:no-)?undefined-version|" +
    "dynamic-list-(?:data|cpp-new|cpp-typeinfo)|icf=.*|print-icf-sections|sort-.*|shuffle-sections(?:=.*)?|" +
    "spare-program-headers=.*|physical-image-base=.*",
    // Archives and shared libraries: order and demand do not matter.
    "(?:no-)?as-needed|start-group|end-group|\\(|\\)|(?:no-)?add-needed|(?:no-)?copy-dt-needed-entries|" +
    "(?:no-)?allow-shlib-undefined|no-map-whole-files",
    // Names and information for debuggers.
    "g|x|X|d|dc|dp|discard-.*|(?:no-)?demangle(?:=.*)?|gdb-index|" +
    "(?:no-)?separate-debug-file(?:=.*)?",
    // How the linker works and what it says.
    "(?:no-)?warn-.*|(?:no-)?fatal-warnings|noinhibit-exec|w|no-warnings|stats|(?:no-)?print-.*|verbose|" +
    "color-diagnostics(?:=.*)?|no-color-diagnostics|error-limit=.*|error-handling-script=.*|(?:no-)?check-sections|" +
    "(?:no-)?threads(?:=.*)?|thread-count=.*|(?:no-)?quick-exit|(?:no-)?fork|perf|no-keep-memory|" +
    "reduce-memory-overheads|force-exe-suffix|orphan-handling=.*|fix-cortex.*|(?:no-)?fix-.*|O\\d?|lto-.*|" +
    "thinlto-.*|no-lto.*|(?:no-)?accept-unknown-input-arch|no-print-gc-sections|(?:no-)?mmap-output-file",
  ].join("|") + ")$",
);

function names(list: string): Record<string, string> {
  return Object.fromEntries(list.split(" ").map((name) => [name, name]));
}
