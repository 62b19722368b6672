/**
 * Parentheses around functions, which make V8 compile them with the script.
 *
 * V8 compiles a function when it is called first, and Deno keeps only what was compiled with the script. So the
 * functions of every program's first load would be compiled at each start. V8 takes a function in parentheses
 * for one that is called at once, and compiles it with the script, into the cache.
 *
 * Methods cannot stand in parentheses and stay as they are.
 */

/** Where a function stands in a script, in UTF-16 code units. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Text that is put in. */
export interface Edit {
  readonly at: number;
  readonly text: string;
}

/**
 * Puts parentheses around functions.
 *
 * A declaration becomes a variable, which has no value before its statement has run. So one that is called at
 * import, perhaps before that, stays a declaration, and so does one inside of a function.
 */
export function withEagerFunctions(
  code: string,
  functions: readonly Range[],
  atImport: readonly Range[],
): { readonly text: string; readonly edits: readonly Edit[] } {
  const early = new Set(atImport.map(({ start }) => start));
  const edits: Edit[] = [];
  let outer = 0;
  for (const range of functions.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const isWholeScript = range.start === 0 && range.end >= code.trimEnd().length;
    if (isWholeScript) continue;
    const isInner = range.start < outer;
    outer = Math.max(outer, range.end);
    edits.push(...parentheses(code, range, !isInner && !early.has(range.start)));
  }
  edits.sort((a, b) => a.at - b.at);
  const parts: string[] = [];
  let from = 0;
  for (const { at, text } of edits) {
    parts.push(code.slice(from, at), text);
    from = at;
  }
  return { text: parts.join("") + code.slice(from), edits };
}

function parentheses(code: string, { start, end }: Range, maySetVariable: boolean): Edit[] {
  const source = code.slice(start, end);
  const declared = /^(?:async )?function ?\*? ?([\w$]+)/.exec(source)?.[1];
  const before = code.slice(Math.max(0, start - 40), start);
  if (declared !== undefined && /(?:^|[;}\n])$/.test(before)) {
    return maySetVariable ? [{ at: start, text: `var ${declared}=(` }, { at: end, text: ");" }] : [];
  }
  if (/(?:[=(,:[?|&]|=>|\breturn) *$/.test(before) && /^(?:async )?(?:function\b|\()/.test(source)) {
    return [{ at: start, text: "(" }, { at: end, text: ")" }];
  }
  return [];
}
