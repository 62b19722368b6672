/**
 * What a person does next about a problem: the one table of it.
 */
import type { LoadErrorKind } from "../../errors.ts";

/** The part of a load error that decides. */
export interface Problem {
  readonly kind: LoadErrorKind;
  readonly message: string;
}

const REBUILD = "build the file again";

/**
 * Advice for messages that say more than their kind does. The first that fits counts.
 */
const SPECIAL: readonly (readonly [kind: LoadErrorKind, message: RegExp, step: string])[] = [
  ["InvalidFormat", /it is empty/, `its writer was interrupted or wrote elsewhere: ${REBUILD}`],
  ["InvalidFormat", /ELF file|static library/, "link it: smf link FILE -o MODULE.smf"],
  [
    "InvalidFormat",
    /no SMF header/,
    "this is no module: check the path; objects and libraries are linked by smf link",
  ],
  [
    "InvalidFormat",
    /the file ends inside it|pass(es)? the end of the file|starts past the end|larger than the file|size that it was written/,
    `the file is cut short or was changed: copy it again, or ${REBUILD}`,
  ],
  [
    "InvalidFormat",
    /hash that it was written with|whole zstd frame/,
    `its bytes were changed after it was written: copy it again, or ${REBUILD}`,
  ],
  [
    "InvalidFormat",
    /hash is not that of its name/,
    "its writer has a bug: the stored hash must be FNV-1a (32 bits) of the name's UTF-8 bytes",
  ],
  [
    "InvalidFormat",
    /two exports have one name/,
    "rename one of the two, or make it local (static in C), and build again",
  ],
  [
    "InvalidFormat",
    /entry point/,
    "name the function to start with: smf link … --entry NAME; or drop the flag Executable",
  ],
  [
    "InvalidFormat",
    /writable and executable/,
    "put code and variables into sections of their own; code that writes itself cannot be loaded",
  ],
  [
    "InvalidFormat",
    /too large|too many|longer than|above 2\^53/,
    `no module needs numbers like that: the file is damaged or its writer has a bug; ${REBUILD}`,
  ],
  [
    "Unsupported",
    /lz4|unknown method|names no method/,
    "compress it with zstd, or not at all: smf convert --compress",
  ],
  ["Unsupported", /its version/, "this package reads versions 0.1, 1.0 and 1.1: write one of those"],
  ["Unsupported", /LSM library/, "unpack the library and load its members"],
  ["Unsupported", /settlement|SPK/, "unpack the container and load the modules in it"],
  [
    "Unsupported",
    /bytecode/,
    "compile it to machine code: bytecode needs the interpreter that it was made for",
  ],
  ["Unsupported", /ELF file/, "link that ELF file: smf link FILE.o -o MODULE.smf"],
  ["Unsupported", /64-byte header|first plan/, "write it with a newer compiler, or link it again: smf link"],
  [
    "RelocationFailed",
    /compile with -fPIC/,
    "compile with -fPIC; if it is, what it refers to is more than 2 GiB away",
  ],
  [
    "RelocationFailed",
    /is unknown/,
    "its compiler uses a relocation that this loader does not know: another code model or smf link may avoid it",
  ],
  [
    "PermissionDenied",
    /--allow-ffi/,
    "run with --allow-ffi (code that is loaded can do whatever this process can)",
  ],
];

/** Advice by kind alone. */
const GENERAL: Readonly<Record<LoadErrorKind, string>> = {
  Io: "check that the path names a regular file that may be read and that nobody is writing to",
  PermissionDenied: "start it again with the permission that the message names",
  InvalidFormat: `the file is damaged or its writer has a bug: ${REBUILD}`,
  IntegrityMismatch:
    "do not use the file before you know why it changed; if it is right, smf hash FILE prints its string",
  InvalidIntegrity: "take the string as smf hash FILE prints it: sha256- and 44 letters",
  Unsupported: "this loader cannot use such a file: build the module in another way",
  IncompatiblePlatform: "build it for the system that is to load it; smf inspect FILE shows which it is for",
  IncompatibleArch: "build it for the processor that is to load it; smf inspect FILE shows which it is for",
  UndefinedSymbol:
    "load the module that defines it before, link it in (smf link), or name a library: --library libm.so.6",
  ForbiddenImport: "add the name to allowImports, if you trust the module with it",
  RelocationFailed: `${REBUILD} with -fPIC; smf inspect FILE shows its relocations`,
  OutOfMemory: "free memory, or look at the limits of this process (ulimit -v, vm.max_map_count, hardening)",
  Closed: "load the module again: it was closed",
  Busy: "wait for what is still running, or end it",
  InvalidToken: "take a new token: this one is of another process or is over",
  Incompatible:
    "keep the exports that are in use as they are, or load the new version under another name; smf diff OLD NEW compares",
};

/** What to do next about a problem. */
export function nextStep({ kind, message }: Problem): string {
  return SPECIAL.find(([of, pattern]) => of === kind && pattern.test(message))?.[2] ?? GENERAL[kind];
}
