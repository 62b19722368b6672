/**
 * `smf ld`: links as `smf link` does, with the command line that a compiler driver gives its linker.
 */
import type { Command } from "../terminal/command.ts";
import { readResponseFiles, runLink } from "./link.ts";

const HELP = `smf ld <arguments of ld>

Stands in for ld: takes the command line that a compiler driver (gcc, clang, rustc)
gives its linker, and writes a module. It has the options of smf link, and ignores
those of ld that have no meaning for modules: it lists them on standard error, with
the start files that it leaves out, the host libraries that the module needs, and the
modules among the inputs, which have to be loaded first. Without -shared, the module
starts at main if an input defines it.
Options that cannot be ignored, such as -r or -T, are refused.

  --version, -v       print the version; -v links too if there are inputs
  --json              print one JSON document, as smf link does
  --color WHEN        auto (default), always or never

Exit codes: 0 success, 1 objects that cannot be linked, 2 wrong usage or a file that
cannot be read or written.

Examples:
  smf ld -shared -o plugin.smf plugin.o -L lib -lparts -lc
  printf '#!/bin/sh\\nexec smf ld "$@"\\n' > tools/ld && chmod +x tools/ld
  gcc -B tools -shared -fPIC -O2 plugin.c -o plugin.smf`;

export const ld: Command = {
  help: HELP,
  expandArguments: readResponseFiles,
  run: (args, output) => runLink("ld", args, output),
};
