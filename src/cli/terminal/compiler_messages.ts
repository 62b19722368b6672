/**
 * The messages in the text that a compiler prints, with file and line.
 */
import type { Problem } from "./problem_format.ts";

/** `a.c:1:2: error: …`: gcc, clang, zig and, without a column, assemblers. */
const GNU =
  /^(?<file>(?:[a-z]:[\\/])?[^:\n]+):(?<line>\d+):(?:(?<column>\d+):)? (?<level>(?:fatal )?error|warning): (?<message>.+)$/i;
/** `a.c(1): error C2143: …`, `a.c(1,2): …`: Microsoft's compiler. */
const MICROSOFT =
  /^(?<file>[^(\n]+)\((?<line>\d+)(?:,(?<column>\d+))?\)\s*: (?<level>(?:fatal )?error|warning) (?<message>.+)$/;
/** `error[E0308]: …`, and below it the place: Rust. */
const RUST = /^(?<level>error|warning)(?<code>\[\w+\])?: (?<message>.+)$/;
const RUST_PLACE = /^\s*--> (?<file>.+):(?<line>\d+):(?<column>\d+)$/;

/** Finds the errors and warnings that name a line. Remarks on them are left out. */
export function compilerMessages(text: string): Problem[] {
  // deno-lint-ignore no-control-regex
  const lines = text.replace(/\x1b\[[\d;]*[mK]/g, "").split(/\r?\n/);
  return lines.flatMap((line, index) => {
    const found = GNU.exec(line) ?? MICROSOFT.exec(line);
    if (found !== null) return [problemOf(found.groups!, found.groups!.message)];
    const rust = RUST.exec(line);
    const place = rust === null ? null : RUST_PLACE.exec(lines[index + 1] ?? "");
    if (rust === null || place === null) return [];
    const { level, code = "", message } = rust.groups!;
    return [problemOf({ ...place.groups, level }, `${message}${code && ` ${code}`}`)];
  });
}

function problemOf(groups: Readonly<Record<string, string | undefined>>, message: string): Problem {
  const { file, line, column, level } = groups;
  return {
    level: /warning/i.test(level!) ? "warning" : "error",
    file,
    line: Number(line),
    column: column === undefined ? undefined : Number(column),
    message,
  };
}
