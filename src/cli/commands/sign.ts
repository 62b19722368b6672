/**
 * `smf sign`: signs modules.
 */
import { dirname, join } from "../../os/path.ts";
import { parseSmf } from "../../smf/file.ts";
import { integrityOf } from "../../smf/integrity.ts";
import { publicKeyText } from "../../smf/keys.ts";
import { MOST_ROOM, signModule, type SignOptions } from "../../smf/sign.ts";
import { readSignatures } from "../../smf/signatures.ts";
import { type Command, type Output, printJson, UsageError } from "../terminal/command.ts";
import { fileName, isFile, readInput, replaceFile } from "../terminal/files.ts";
import { readPrivateKey } from "../terminal/keys.ts";
import { forEachFile, type Options, readOptions } from "../terminal/options.ts";
import { writeProblem } from "../terminal/problem_format.ts";
import { reportingErrors } from "../terminal/problems.ts";
import type { Writer } from "../terminal/style.ts";

const HELP = `smf sign <file...> --key <private.pem> [options]

Signs modules with an Ed25519 key, for registries with \`trust\`. A signature covers
every byte of the file; further ones can be added, anything else makes all of them
invalid. One by the same key is replaced. The files are replaced, unless -o names
another one.

  --key FILE          the private key in PEM (smf keygen, openssl genpkey); --key=- reads
                      it from standard input
  -o, --output FILE   the file to write, for one input
  --room COUNT        how many signatures there is room for, at the first one; default 4
  --json              print one JSON document for each file
  --color WHEN        auto (default), always or never

Exit codes: 0 success, 1 a bad file, 2 wrong usage, a bad key or a file that cannot be
read or written.

Examples:
  smf sign plugin.smf --key release.pem
  smf sign plugin.smf --key new.pem && smf verify plugin.smf --key old.pub --key new.pub
  pass show release-key | smf sign plugin.smf --key=- -o signed.smf`;

export const sign: Command = {
  help: HELP,
  async run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, {
      values: ["key", "output", "room"],
      switches: ["json"],
      alias: { o: "output" },
    }, output);
    const files = options.rest, target = options.value("output"), keyFile = options.value("key");
    if (keyFile === undefined) throw new UsageError("name the private key: --key <private.pem>");
    if (target !== undefined && files.length > 1) throw new UsageError("-o takes one input");
    if (target === undefined && files.includes("-")) {
      throw new UsageError("name the file to write: -o <file>");
    }
    if (keyFile === "-" && files.includes("-")) throw new UsageError("standard input is a key or a module");
    const key = await readPrivateKey(keyFile);
    const room = roomOf(options);
    const json = options.has("json"), { writer } = options;
    return await forEachFile(
      options,
      (file) =>
        reportingErrors({ command: "sign", file, writer, json }, async () => {
          const bytes = readInput(file);
          const signed = await signing(file, bytes, key, room);
          replaceFile(target ?? file, signed);
          if (target === undefined) warnOfPin(file, bytes, keyFile, writer);
          const signers = readSignatures(parseSmf(signed))!.signatures.map(({ key }) => publicKeyText(key));
          if (json) return printJson(writer, "sign", { file, output: target ?? file, signers });
          writer.print(`${fileName(file)}: signed by ${signers.join(", ")}`);
        }),
    );
  },
};

function roomOf(options: Options): SignOptions {
  const text = options.value("room");
  if (text === undefined) return {};
  const room = /^\d+$/.test(text) ? Number(text) : 0;
  if (room < 1 || room > MOST_ROOM) {
    throw new UsageError(`--room takes a number from 1 to ${MOST_ROOM}, not '${text}'`);
  }
  return { room };
}

/** Signs a file; one that the format cannot hold again is wrong usage. */
async function signing(
  file: string,
  bytes: Uint8Array,
  key: string,
  options: SignOptions,
): Promise<Uint8Array> {
  try {
    return await signModule(bytes, key, options);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
}

/** Warns if `mod.ts` beside a file, which smf build --target writes, pins the bytes that it had before. */
function warnOfPin(file: string, before: Uint8Array, keyFile: string, writer: Writer): void {
  const path = join(dirname(file), "mod.ts");
  // A warning is not worth asking for another permission.
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return;
  if (!isFile(path) || !Deno.readTextFileSync(path).includes(integrityOf(before))) return;
  const message = `${path} pins the bytes before: smf build --target LIST --key ${keyFile} signs and pins`;
  writeProblem({ level: "warning", file: path, message }, writer, [`${fileName(file)}: ${message}`]);
}
