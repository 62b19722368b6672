/**
 * `smf dev`: runs a program, and keeps its native modules built and reloaded.
 */
import { findProject, readProject } from "../../build/project.ts";
import { isBefore } from "../../os/deno_versions.ts";
import { dirname, resolve } from "../../os/path.ts";
import { beforeProgram, parseDevArguments } from "../dev/arguments.ts";
import { isUrl } from "../dev/program_files.ts";
import { Session } from "../dev/session.ts";
import { AT_HELP } from "../terminal/at.ts";
import { type Command, ExitCode, type Output, UsageError } from "../terminal/command.ts";
import { reportingErrors } from "../terminal/problems.ts";
import { STATE_HELP } from "../terminal/state.ts";
import { writerFor } from "../terminal/style.ts";

const HELP = `smf dev [options] [options of deno run] <program.ts> [args...]

Runs a Deno program and keeps its native modules built: those of the calls of cc() in the
files that it imports, and those that smf.json, or the field smf of deno.json, lists (see
smf build), whose files the program loads, such as .smf/counter.smf. It needs nothing for
reloading. When a source or header changes, or C text in a call, what depends on it is
compiled, linked, and reloaded in the program, which goes on with its state. If it does
not compile, the messages of the compiler are shown, and the old code goes on, as it does
if the new code crashes in a call. A program that has ended starts again at the next
change. Ends at Ctrl-C.

Calls of cc() are found in the text, so their sources and options must be constants: texts,
new URL("counter.c", import.meta.url), lists and objects of them, and names that the file
declares as such. In the program cc() then opens the module instead of compiling; a call
that was not found, or has other options, is an error.

Needs --allow-run of Deno and of the compilers, and --allow-read and --allow-write of the
project. The program has its own options, --allow-ffi, and --allow-read of its modules.
Give values to options of Deno behind =, such as --config=FILE.

${STATE_HELP}
  --compiler COMMAND  the C and C++ compiler, before that of the configuration; tcc, TinyCC,
                      compiles C in milliseconds, but tells no types
${AT_HELP}
  --project FILE      the configuration; default: smf.json or deno.json in the program's
                      folder or the nearest one above
  --verbose           show the commands that run
  --color WHEN        auto (default), always or never

Exit codes: 0 when it is ended, 2 wrong usage or a file that cannot be read.

Examples:
  smf dev app.ts
  smf dev --compiler tcc app.ts
  smf dev --watch-hmr app.ts             take changes of TypeScript at once, too
  smf dev --allow-net --state carry server.ts --port 8000
  smf dev --at safe-point game.ts`;

export const dev: Command = {
  help: HELP,
  ownArguments: beforeProgram,
  run(args: readonly string[], output: Output): Promise<number> {
    const given = parseDevArguments(args);
    if (isBefore(Deno.version.deno, 2, 4)) {
      throw new UsageError(`needs Deno 2.4, which has --preload; this is ${Deno.version.deno}`);
    }
    const writer = writerFor(output, given.color);
    return reportingErrors(
      { command: "dev", file: given.program, writer, json: false, isModule: false },
      async () => {
        const folder = isUrl(given.program) ? "." : dirname(resolve(given.program));
        const path = given.project ?? findProject(folder);
        const project = path === undefined ? undefined : readProject(path);
        await using session = new Session(project, given, folder, writer);
        await session.run();
        return ExitCode.OK;
      },
    );
  },
};
