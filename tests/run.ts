/**
 * Runs `deno test`, leak checks included, with this version of Deno:
 *
 *     deno run --allow-all tests/run.ts FILES [OPTIONS]
 */
import { LEAK_CHECKS } from "./support/deno_version.ts";

const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["test", "--allow-all", ...LEAK_CHECKS, ...Deno.args],
}).spawn().status;
Deno.exit(code);
