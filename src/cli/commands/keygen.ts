/**
 * `smf keygen`: makes a pair of keys for signatures.
 */
import { makeKeys } from "../../smf/sign.ts";
import { parsePublicKey, publicKeyText } from "../../smf/keys.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import { ExitCode } from "../terminal/command.ts";
import { readOptions } from "../terminal/options.ts";

const HELP = `smf keygen <name> [options]

Makes a pair of Ed25519 keys: the private one in <name>.pem, which only you may read,
and the public one in <name>.pub. Prints the public key in the short form that the
registry's option \`trust\` takes as well. Files that exist are left alone.

  --json              print one JSON document
  --color WHEN        auto (default), always or never

Exit codes: 0 success, 2 wrong usage, or a file that exists or cannot be written.

Examples:
  smf keygen release
  smf keygen keys/2027 --json`;

export const keygen: Command = {
  help: HELP,
  async run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, { switches: ["json"] }, output);
    const [name, ...more] = options.rest;
    if (name === undefined) throw new UsageError("name the files: smf keygen <name>");
    if (more.length > 0) throw new UsageError(`expected one name; '${more[0]}' is one too many`);
    const { privateKey, publicKey } = await makeKeys();
    writeNew(`${name}.pem`, privateKey, 0o600);
    writeNew(`${name}.pub`, publicKey);
    const key = publicKeyText(parsePublicKey(publicKey));
    if (options.has("json")) {
      printJson(options.writer, "keygen", { privateKey: `${name}.pem`, publicKey: `${name}.pub`, key });
    } else {
      options.writer.print(key);
    }
    return ExitCode.OK;
  },
};

function writeNew(path: string, text: string, mode?: number): void {
  try {
    Deno.writeTextFileSync(path, text, { createNew: true, ...mode !== undefined && { mode } });
  } catch (error) {
    throw new UsageError(`${path}: Cannot write the file: ${(error as Error).message}`);
  }
}
