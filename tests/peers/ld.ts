/**
 * The stand-in for `ld`: `smf ld`, which also writes down beside each module which modules it imports from, so that
 * `run.ts` can load them first. Started by the script `ld` that `trial.ts` makes.
 */
import { runProgram } from "../../src/cli/main.ts";
import { expandResponseFiles } from "../../src/cli/terminal/ld_arguments.ts";
import { PROVIDERS_FILE, PROVIDERS_LINE } from "./trial.ts";

const providers: string[] = [];
const code = await runProgram(["ld", ...Deno.args], {
  print: (line) => console.log(line),
  complain(line) {
    if (line.startsWith(PROVIDERS_LINE)) {
      providers.push(...line.slice(PROVIDERS_LINE.length).split(" ").map((path) => Deno.realPathSync(path)));
    }
    console.error(line);
  },
});
const args = expandResponseFiles(Deno.args, (path) => Deno.readTextFileSync(path));
const output = args.includes("-o") ? args[args.indexOf("-o") + 1] : undefined;
if (code === 0 && output !== undefined && Deno.statSync(output).isFile) {
  // Scripts start what they link, and `run.ts` is what they start it with.
  Deno.chmodSync(output, 0o755);
  if (providers.length > 0) Deno.writeTextFileSync(`${output}${PROVIDERS_FILE}`, providers.join("\n"));
}
Deno.exit(code);
