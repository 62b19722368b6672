// The places in what compilers print.
import { assertEquals } from "@std/assert";
import { compilerMessages } from "../../../src/cli/terminal/compiler_messages.ts";

/** What compilers print, and the messages in it. */
const TEXTS: Readonly<Record<string, readonly [text: string, messages: readonly unknown[][]]>> = {
  "gcc": [
    "a.c: In function 'f':\na.c:1:2: error: 'x' undeclared\n    1 | x\na.c:1:2: note: once\nb.h:3:1: warning: w [-Wx]\n",
    [["error", "a.c", 1, 2, "'x' undeclared"], ["warning", "b.h", 3, 1, "w [-Wx]"]],
  ],
  "clang, with colours": [
    "\x1b[1ma.c:1:2: \x1b[0m\x1b[0;1;31mfatal error: \x1b[0m\x1b[1m'b.h' file not found\x1b[0m\n",
    [["error", "a.c", 1, 2, "'b.h' file not found"]],
  ],
  "an assembler": ["a.s: Assembler messages:\na.s:3: Error: no such instruction: `mv'\n", [
    ["error", "a.s", 3, undefined, "no such instruction: `mv'"],
  ]],
  "a path of Windows": ["C:\\src\\a.c:1:2: error: no\r\n", [["error", "C:\\src\\a.c", 1, 2, "no"]]],
  "cl": ["a.c(7): error C2143: syntax error\na.c(8,2): warning C4101: unused\n", [
    ["error", "a.c", 7, undefined, "C2143: syntax error"],
    ["warning", "a.c", 8, 2, "C4101: unused"],
  ]],
  "rustc": [
    "error[E0308]: mismatched types\n --> src/lib.rs:1:21\n  |\nwarning: unused variable: `x`\n  --> a.rs:2:3\n\nerror: aborting\n",
    [["error", "src/lib.rs", 1, 21, "mismatched types [E0308]"], [
      "warning",
      "a.rs",
      2,
      3,
      "unused variable: `x`",
    ]],
  ],
  "text without a place": ["cc: fatal error: no input files\n", []],
};

for (const [name, [text, messages]] of Object.entries(TEXTS)) {
  Deno.test(`${name}: the messages with level, file, line and column`, () => {
    assertEquals(
      compilerMessages(text).map((
        { level, file, line, column, message },
      ) => [level, file, line, column, message]),
      messages,
    );
  });
}
