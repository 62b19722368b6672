// Types as C writes them.
import { assert, assertEquals } from "@std/assert";
import { declarationOf } from "../../src/types/declaration.ts";
import type { TypeRecord } from "../../src/types/model.ts";

const STYLE = { parameterNames: true };

/** int is 1, char is 2; the others follow from 3 on. */
function declare(name: string, ...types: TypeRecord[]): string {
  const all: (TypeRecord | undefined)[] = [
    undefined,
    { kind: "base", name: "int", size: 4, encoding: "signed" },
    { kind: "base", name: "char", size: 1, encoding: "signed" },
    ...types,
  ];
  return declarationOf(all, all.length - 1, name, STYLE);
}

const to = (kind: "pointer" | "const" | "volatile" | "restrict" | "atomic" | "reference", to: number) =>
  ({ kind, to }) as const;
const call = (result: number, ...parameters: number[]) =>
  ({
    kind: "function",
    result,
    parameters: parameters.map((type, i) => ({ name: "ab"[i], type })),
    variadic: false,
    prototyped: true,
  }) as const;
const array = (of: number, count?: number) => ({ kind: "array", of, count }) as const;

Deno.test("declarations read from the inside out", () => {
  assertEquals(declare("p", to("pointer", 1)), "int *p");
  assertEquals(declare("", to("pointer", 1)), "int *");
  assertEquals(declare("a", array(1, 3), array(3, 2)), "int a[2][3]");
  assertEquals(declare("p", array(1, 3), to("pointer", 3)), "int (*p)[3]");
  assertEquals(declare("f", call(1, 1, 2)), "int f(int a, char b)");
  assertEquals(declare("f", call(0)), "void f(void)");
  assertEquals(declare("p", call(1, 2), to("pointer", 3)), "int (*p)(char a)");
  assertEquals(declare("f", call(1, 2), to("pointer", 3), call(4, 1)), "int (*f(int a))(char a)");
  assertEquals(declare("a", to("pointer", 2), array(3)), "char *a[]");
  assertEquals(declare("r", to("reference", 1)), "int &r");
});

Deno.test("qualifiers stand before names and behind asterisks, each once", () => {
  assertEquals(declare("s", to("const", 2), to("pointer", 3)), "const char *s");
  assertEquals(declare("s", to("pointer", 2), to("const", 3)), "char * const s");
  assertEquals(declare("v", to("const", 1), to("volatile", 3)), "const volatile int v");
  assertEquals(declare("a", to("const", 1), array(3, 2), to("const", 4)), "const int a[2]");
  assertEquals(
    declare("a", to("pointer", 2), to("const", 3), array(4, 2), to("const", 5)),
    "char * const a[2]",
  );
  assertEquals(declare("n", to("atomic", 1)), "_Atomic int n");
});

Deno.test("a function without a prototype has an empty list", () => {
  assertEquals(declare("f", { ...call(1), prototyped: false }), "int f()");
  assertEquals(declare("f", { ...call(1, 1), variadic: true }), "int f(int a, ...)");
});

Deno.test("types that mention each other without end are cut", () => {
  const types: TypeRecord[] = [];
  for (let id = 3; id < 120; id += 2) types.push(to("pointer", id + 1), call(1, id + 2, id + 2));
  const all = [undefined, types[0], types[0], ...types, call(1)];
  assert(declarationOf(all, 4, "f", STYLE).length < 1_000_000);
  assertEquals(declare("p", to("pointer", 3)).endsWith("p"), true);
});
