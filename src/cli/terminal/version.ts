/**
 * The versions that the command tells.
 */
import { VERSION } from "../../load/checks/version.ts";

export { VERSION };

/** The output of `smf ld --version`. Configuration scripts look for the words "GNU ld" to see which options there are. */
export const VERSION_LINE = `smf ld ${VERSION} (takes the options of GNU ld)`;
