/**
 * The version of the package. `deno.json` has it too; a test compares them.
 */
const VERSION = "0.1.0";

/** What `smf ld --version` prints. Configuration scripts look for the words "GNU ld" to see which options there are. */
export const VERSION_LINE = `smf ld ${VERSION} (takes the options of GNU ld)`;
