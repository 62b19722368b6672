/**
 * The linker's part of the library's bundle, in a function that runs when something is linked.
 *
 * A quarter of the bundle is there for linking and building, and a program that only loads would pay 2 ms for it
 * at each start. A module cannot import another synchronously at its first use; a function can.
 */

/** The line with which the bundler begins each module. */
const MODULE = /^\/\/ (?:.*\/)?(src\/.*\.ts)$/;

/** The name of the export that makes the part and returns all that it exports. */
export const LATER = "makeLinker";

/** A bundle whose end is deferred. */
export interface DeferredBundle {
  readonly text: string;
  /** The exports of the end that are not functions: only the result of {@linkcode LATER} has them. */
  readonly later: readonly string[];
}

/**
 * Puts the end of a bundle into a function: all modules from the linker's first on, which nothing before them
 * needs. Functions that it exports are exported as before, and make it when they are called first.
 *
 * Lines stay where they are, since the bundle has a map.
 */
export function deferLinker(bundle: string): DeferredBundle {
  const lines = bundle.split("\n");
  const first = lines.findIndex((line) => MODULE.exec(line)?.[1].startsWith("src/link/"));
  const exporting = lines.lastIndexOf("export {");
  if (first <= 0 || exporting < first) throw new Error("the bundle does not end with the linker");
  const kinds = new Map(
    lines.slice(first, exporting).flatMap((line): [name: string, kind: string][] => {
      const [, kind, name] = /^(function|async function|class|var|let|const) ([\w$]+)/.exec(line) ?? [];
      return name === undefined ? [] : [[name, kind]];
    }),
  );
  const functions: string[] = [], returned: string[] = [], later: string[] = [];
  for (let at = exporting + 1; lines[at] !== "};"; at++) {
    const [, local, exported = local] = /^ *([\w$]+)(?: as ([\w$]+))?,?$/.exec(lines[at])!;
    const kind = kinds.get(local);
    if (kind === undefined) continue;
    returned.push(`${exported}: ${local}`);
    if (kind.endsWith("function")) {
      functions.push(`function ${local}(...values) { return ${LATER}().${exported}(...values); }`);
    } else {
      later.push(exported);
      lines[at] = "";
    }
  }
  if (returned.length === 0) throw new Error("the linker exports nothing");
  // The outer functions have the names of the inner ones, which they call.
  const made = `var linker; function ${LATER}() { return linker ??= linkerPart(); }`;
  lines[first - 1] += " function linkerPart() {";
  lines[exporting - 1] += ` return { ${returned.join(", ")} }; } ${made} ${functions.join(" ")}`;
  lines[exporting] += ` ${LATER},`;
  return { text: lines.join("\n"), later };
}
