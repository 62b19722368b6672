/**
 * Next steps that errors of several files in this folder share.
 */

/** For files that are incomplete, or were modified after they were written. */
export const COPY_AGAIN =
  "copy the file again or build it again: it was cut short, or changed after it was written";

/** For objects and static libraries where a module is expected. */
export const LINK_FIRST = "link it first: smf link FILE -o MODULE.smf";

/** For bytecode where machine code is expected. */
export const COMPILE_TO_MACHINE_CODE =
  "compile it to machine code: bytecode runs only in the interpreter that it was compiled for";

/** For compressed sections whose method cannot be used. */
export const COMPRESS_WITH_ZSTD = "compress it with zstd, or not at all: smf convert --compress";

/** For files that follow an old draft of the format. */
export const WRITE_AGAIN = "write it with a newer compiler, or link it again: smf link";

/** For files with flags that this package does not know. */
export const UPDATE_PACKAGE = "update this package, or clear the flags that docs/format.md does not list";
