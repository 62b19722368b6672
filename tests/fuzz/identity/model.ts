/**
 * Generated programs whose variables move about from version to version: what a source text says, before it is
 * printed. Many names are used several times, in different files and functions.
 */

/** The types of numbers. All values are unique and fit into 16 bits. */
export type NumberType = "short" | "int" | "long";

/** A field of a struct. */
export interface Field {
  readonly name: string;
  readonly of: NumberType;
}

/** A place that a pointer leads to: a part of a variable. */
export interface Target {
  /** The variable's number. */
  readonly id: number;
  readonly part: number;
}

/** The type of a variable. */
export type Shape =
  | { readonly kind: "number"; readonly of: NumberType }
  /** Is only ever one of two constants, so that compilers store one bit. */
  | { readonly kind: "flag"; readonly other: number }
  | { readonly kind: "array"; readonly of: NumberType; readonly length: number }
  | { readonly kind: "struct"; readonly tag: string; readonly fields: readonly Field[] }
  /** Leads to a number in another variable. */
  | { readonly kind: "pointer"; readonly of: NumberType; readonly isConst: boolean; readonly target: Target }
  /** A number, and a pointer to another node. */
  | { readonly kind: "node"; readonly next: number };

/** Where a variable is declared. */
export interface Declared {
  readonly file: string;
  /** `common` is global without an initial value, in an object compiled with -fcommon. */
  readonly storage: "global" | "common" | "static";
  /** The function around it; absent at file scope. */
  readonly inside?: SourceFunction;
  readonly name: string;
  /** Tells apart variables of one name in blocks of one function. */
  readonly block?: number;
}

/** A variable of one version. Versions share those that did not change. */
export interface Variable extends Declared {
  /** The number by which pointers of its version know it. */
  readonly id: number;
  readonly shape: Shape;
  /** The initial values of its numbers; zeros if it has no initialiser. */
  readonly initial: readonly number[];
  readonly isInitialised: boolean;
}

/** A function that has variables of its own. */
export interface SourceFunction {
  readonly name: string;
  readonly file: string;
  readonly isStatic: boolean;
  readonly isInline: boolean;
}

/** A version: files in the order of the link, functions and variables in the order of the text. */
export interface Version {
  readonly files: readonly string[];
  readonly functions: readonly SourceFunction[];
  readonly variables: readonly Variable[];
}

/** The number of numbers in a variable. */
export function partsOf({ shape }: Variable): number {
  switch (shape.kind) {
    case "array":
      return shape.length;
    case "struct":
      return shape.fields.length;
    case "pointer":
      return 0;
    default:
      return 1;
  }
}

/** The type of a part of a variable. */
export function typeOfPart({ shape }: Variable, part: number): NumberType {
  switch (shape.kind) {
    case "number":
    case "array":
      return shape.of;
    case "struct":
      return shape.fields[part].of;
    default:
      return shape.kind === "flag" ? "int" : "long";
  }
}

/** The place that a pointer or a node leads to. */
export function targetOf({ shape }: Variable): Target | undefined {
  if (shape.kind === "pointer") return shape.target;
  return shape.kind === "node" ? { id: shape.next, part: 0 } : undefined;
}

/** Finds a variable by its number. */
export function variableOf({ variables }: Pick<Version, "variables">, id: number): Variable {
  return variables.find((each) => each.id === id)!;
}

/** The type as text: equal texts are equal types. */
export function typeText(variable: Variable): string {
  const { shape } = variable;
  switch (shape.kind) {
    case "number":
      return shape.of;
    case "flag":
      return "int";
    case "array":
      return `${shape.of}[${shape.length}]`;
    case "struct":
      return `struct ${shape.tag} { ${shape.fields.map(({ name, of }) => `${of} ${name};`).join(" ")} }`;
    case "pointer":
      return `${shape.of} *${shape.isConst ? "const " : ""}`;
    case "node":
      return "struct node";
  }
}

/** The names of a variable's parts, which tell what a part of another type is. */
export function partNames({ shape }: Variable): string[] {
  switch (shape.kind) {
    case "array":
      return Array.from({ length: shape.length }, (_, index) => `[${index}]`);
    case "struct":
      return shape.fields.map(({ name }) => name);
    case "pointer":
      return [];
    default:
      return [shape.kind === "node" ? "value" : ""];
  }
}

/**
 * The identities of a variable, as the source text has them: two variables of different versions are one if they
 * share an identity. External names are identities wherever they are; a static that becomes external in the same
 * file stays itself.
 */
export function identitiesOf({ file, storage, inside, name, block }: Declared): string[] {
  const number = block === undefined ? "" : `#${block}`;
  if (inside !== undefined) {
    const own = `${inside.name}:${name}${number}`;
    return inside.isStatic ? [`${file}:${own}`] : [`${file}:${own}`, own];
  }
  return storage === "static" ? [`${file}:${name}`] : [`${file}:${name}`, name];
}

/** Where a variable is, for messages. */
export function describe(variable: Variable): string {
  return `${typeText(variable)} ${identitiesOf(variable)[0]}`;
}
