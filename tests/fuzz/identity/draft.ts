/** A version of a program in the making. Changes that would not compile are left out. */

import type { Random } from "../mutate.ts";
import {
  identitiesOf,
  type NumberType,
  partsOf,
  type Shape,
  type SourceFunction,
  targetOf,
  typeOfPart,
  type Variable,
  type Version,
} from "./model.ts";
import { areFunctions, areVariables, isTarget } from "./valid.ts";

const FILES = ["a.c", "b.c", "x/util.c", "y/util.c", "x/a.c"];
const FUNCTIONS = ["step", "update", "helper", "init"];
const NAMES = ["n", "count", "state", "last"];
const NUMBERS: readonly NumberType[] = ["short", "int", "long"];

let value = 0, serial = 0;

/** A number that the program has not had so far: a value tells where it comes from. */
export function uniqueValue(): number {
  if (value > 32_000) throw new Error("The program has more values than 16 bits");
  return ++value;
}

/** Starts the numbers of a program anew, so that they depend on its seed alone. */
export function restartValues(first: number): void {
  value = first;
  serial = 0;
}

/** A version in the making. */
export class Draft {
  readonly #random: Random;
  readonly #past: readonly Version[];
  #files: string[];
  #functions: SourceFunction[];
  #variables: Variable[];

  constructor({ files, functions, variables }: Version, past: readonly Version[], random: Random) {
    this.#files = [...files];
    this.#functions = [...functions];
    this.#variables = [...variables];
    this.#past = past;
    this.#random = random;
  }

  static empty(random: Random): Draft {
    return new Draft({ files: [], functions: [], variables: [] }, [], random);
  }

  finish(): Version {
    return { files: this.#files, functions: this.#functions, variables: this.#variables };
  }

  addFile(): void {
    const file = this.#random.pick(FILES);
    if (!this.#files.includes(file)) this.#files.push(file);
  }

  addFunction(): void {
    const file = this.#random.pick(this.#files);
    this.#tryFunctions([...this.#functions, {
      name: this.#random.pick(FUNCTIONS),
      file,
      isStatic: !this.#random.once(3),
      isInline: this.#random.once(2),
    }]);
  }

  addVariable(): void {
    const random = this.#random, storage = random.pick(["global", "static", "static", "common"] as const);
    const place = this.#functions.length > 0 && random.once(2)
      ? this.#insideOf(random.pick(this.#functions))
      : { file: random.pick(this.#files), storage };
    const shape = place.storage === "common" ? this.#plainShape() : this.#shape();
    const isInitialised = place.storage !== "common" && (shape.kind === "flag" || !random.once(5));
    this.#add(
      this.#withInitial({
        id: serial++,
        ...place,
        name: random.pick(NAMES),
        shape,
        initial: [],
        isInitialised,
      }),
    );
  }

  /** Adds a pointer to a variable, or two nodes that lead to each other. */
  addPointer(): void {
    const random = this.#random, file = random.pick(this.#files);
    if (random.once(3)) return this.#addNodes(file);
    const targets = this.#variables.filter((each) =>
      isTarget(each) && (each.file === file || each.storage !== "static")
    );
    if (targets.length === 0) return;
    const variable = random.pick(targets);
    const target = { id: variable.id, part: random.below(partsOf(variable)) };
    const isConst = random.once(3);
    const shape: Shape = { kind: "pointer", of: typeOfPart(variable, target.part), isConst, target };
    // Names of their own: constants are not reported.
    const name = isConst ? `constant_${serial++}` : random.pick(NAMES);
    const storage = isConst || random.once(2) ? "static" : "global";
    this.#add({ id: serial++, file, storage, name, shape, initial: [], isInitialised: true });
  }

  #addNodes(file: string): void {
    const ids = [serial++, serial++];
    const nodes = ids.map((id, index): Variable => ({
      id,
      file,
      storage: "static",
      name: this.#random.pick(NAMES),
      shape: { kind: "node", next: ids[1 - index] },
      initial: [uniqueValue()],
      isInitialised: true,
    }));
    this.#try([...this.#variables, ...nodes]);
  }

  remove(): void {
    const gone = this.#any();
    if (this.#variables.length > 3) this.#try(this.#variables.filter((each) => each !== gone));
  }

  rename(): void {
    const old = this.#any();
    if (old.shape.kind !== "pointer" || !old.shape.isConst) {
      this.#replace(old, { ...old, name: this.#random.pick(NAMES) });
    }
  }

  /** Moves a static to another file or function. */
  move(): void {
    const old = this.#any(), random = this.#random;
    if (targetOf(old) !== undefined) return;
    const place = random.once(3) || this.#functions.length === 0
      ? { file: random.pick(this.#files), inside: undefined, block: undefined }
      : this.#insideOf(random.pick(this.#functions));
    const { inside: _, block: __, ...rest } = old;
    this.#replace(old, { ...rest, ...(old.storage === "common" ? {} : place) });
  }

  changeType(): void {
    const old = this.#any();
    if (targetOf(old) !== undefined || this.#isTarget(old)) return;
    this.#replace(
      old,
      this.#withInitial({ ...old, shape: this.#changed(old.shape, old.storage === "common") }),
    );
  }

  changeInitial(): void {
    const old = this.#any();
    if (targetOf(old) === undefined && old.isInitialised) this.#replace(old, this.#withInitial(old));
  }

  removeFunction(): void {
    if (this.#functions.length < 2) return;
    const gone = this.#random.pick(this.#functions);
    const left = this.#variables.filter(({ inside }) => inside !== gone);
    if (left.length < 3) return;
    this.#variables = left;
    this.#functions = this.#functions.filter((each) => each !== gone);
  }

  renameFunction(): void {
    if (this.#functions.length === 0) return;
    const old = this.#random.pick(this.#functions);
    this.#replaceFunction(old, { ...old, name: this.#random.pick(FUNCTIONS) });
  }

  /** Takes a variable away, and gives one of its name to another file or function. */
  replaceNamesake(): void {
    const old = this.#any(), random = this.#random;
    if (targetOf(old) !== undefined || this.#isTarget(old) || old.storage === "common") return;
    const place = this.#functions.length > 0 && random.once(2)
      ? this.#insideOf(random.pick(this.#functions))
      : { file: random.pick(this.#files), storage: old.storage };
    const { inside: _, block: __, ...rest } = old;
    const shape: Shape = rest.shape.kind === "struct" ? { ...rest.shape, tag: `s${serial++}` } : rest.shape;
    const other = this.#withInitial({ ...rest, ...place, shape, id: serial++ });
    if (identitiesOf(other)[0] === identitiesOf(old)[0]) return;
    this.#try([...this.#variables.filter((each) => each !== old), other]);
  }

  /** Brings a variable of an older version back. */
  bringBack(): void {
    if (this.#past.length === 0) return;
    const random = this.#random, { variables } = random.pick(this.#past);
    const old = random.pick(variables);
    const inside = old.inside === undefined
      ? undefined
      : this.#functions.find(({ name, file }) => name === old.inside!.name && file === old.inside!.file);
    if (targetOf(old) !== undefined || (old.inside !== undefined && inside === undefined)) return;
    if (!this.#files.includes(old.file)) return;
    this.#add({ ...old, id: serial++, inside });
  }

  shuffle(): void {
    const random = this.#random;
    for (const list of [this.#files, this.#functions, this.#variables] as unknown[][]) {
      for (let at = list.length - 1; at > 0; at--) {
        const other = random.below(at + 1);
        [list[at], list[other]] = [list[other], list[at]];
      }
    }
  }

  #any(): Variable {
    return this.#random.pick(this.#variables);
  }

  #insideOf(inside: SourceFunction): Pick<Variable, "file" | "storage" | "inside" | "block"> {
    const place = { file: inside.file, storage: "static" as const, inside };
    return this.#random.once(5) ? { ...place, block: serial++ } : place;
  }

  #shape(): Shape {
    return this.#random.once(6) ? { kind: "flag", other: uniqueValue() } : this.#plainShape();
  }

  #plainShape(): Shape {
    const random = this.#random, of = random.pick(NUMBERS);
    switch (random.below(4)) {
      case 0:
        return { kind: "array", of, length: 1 + random.below(6) };
      case 1: {
        const fields = ["a", "b", "c"].slice(0, 1 + random.below(3));
        return {
          kind: "struct",
          tag: `s${serial++}`,
          fields: fields.map((name) => ({ name, of: random.pick(NUMBERS) })),
        };
      }
      default:
        return { kind: "number", of };
    }
  }

  #changed(shape: Shape, isCommon: boolean): Shape {
    const random = this.#random;
    if (random.once(4)) return isCommon ? this.#plainShape() : this.#shape();
    switch (shape.kind) {
      case "array":
        return { ...shape, length: 1 + random.below(8) };
      case "struct": {
        const fields = random.once(2)
          ? shape.fields.toReversed()
          : [...shape.fields, { name: `f${serial++}`, of: random.pick(NUMBERS) }];
        return { ...shape, fields };
      }
      case "flag":
        return { kind: "flag", other: uniqueValue() };
      default:
        return { kind: "number", of: random.pick(NUMBERS) };
    }
  }

  #withInitial(variable: Variable): Variable {
    const parts = Array.from({ length: partsOf(variable) }, () => variable.isInitialised ? uniqueValue() : 0);
    return { ...variable, initial: parts };
  }

  #isTarget({ id }: Variable): boolean {
    return this.#variables.some((each) => targetOf(each)?.id === id);
  }

  #add(variable: Variable): void {
    this.#try([...this.#variables, variable]);
  }

  #replace(old: Variable, now: Variable): void {
    this.#try(this.#variables.map((each) => each === old ? now : each));
  }

  #replaceFunction(old: SourceFunction, now: SourceFunction): void {
    this.#tryFunctions(this.#functions.map((each) => each === old ? now : each));
    if (!this.#functions.includes(now)) return;
    this.#variables = this.#variables.map((each) => each.inside === old ? { ...each, inside: now } : each);
  }

  #tryFunctions(functions: SourceFunction[]): void {
    if (areFunctions(functions)) this.#functions = functions;
  }

  #try(variables: Variable[]): void {
    if (areVariables(variables, this.#files)) this.#variables = variables;
  }
}
