/**
 * The version of the package, whose checks of files may differ from those of another version. `deno.json` has it
 * too; a test compares them.
 */
export const VERSION = "0.1.0";
