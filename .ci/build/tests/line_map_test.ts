// Source maps of the published bundles: a segment for each line of a source that can be in a stack trace.
import { assertEquals } from "@std/assert";
import { lineMap } from "../line_map.ts";
import { decode, encode, type SourceMapSegment } from "npm:@jridgewell/sourcemap-codec@1.6.0";

/** The lines of a source of which a map keeps track, if a bundle has them all in one line. */
function keptLines(source: readonly string[]): readonly string[] {
  let column = 0;
  const segments = source.map((text, line): SourceMapSegment => {
    const at = column;
    column += text.length;
    return [at, 0, line, 0];
  });
  const code = source.join("");
  const comment = lineMap({ sources: ["../src/a.ts"], mappings: encode([segments]) }, {
    path: "/package/built/library.js",
    banner: "",
    code,
    edits: [],
    folder: "/package/built",
    root: "/package",
  });
  const { mappings } = JSON.parse(atob(comment.split("base64,")[1]));
  return decode(mappings)[0].map((segment) => source[segment[2]!]);
}

Deno.test("lines that call, read a property, make or throw something are kept", () => {
  const lines = [
    "start();",
    "if(ready())",
    'say("why")',
    "a.b;",
    "a[0];",
    "`${a}`",
    "throw error",
    "for(const x of list.all){",
    "function f(a=b.c){",
    "while(next.ready)",
  ];
  assertEquals(keptLines(lines), lines);
});

Deno.test("conditions, heads of functions and texts are left out: the line before stands for them", () => {
  const lines = [
    "start();",
    "if(a===b){",
    "while(a){",
    'text="a.b (c)";',
    "function f(a,b){",
    "method(a){",
    "static #own(a){",
    "}catch(error){",
    "const g=(a,b)=>a",
    "end();",
  ];
  assertEquals(keptLines(lines), ["start();", "end();"]);
});
