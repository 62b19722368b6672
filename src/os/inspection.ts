/**
 * The texts that `console.log` shows of the package's objects, whose fields are
 * private otherwise.
 */

import { hex } from "../errors/load_error.ts";

/** The name of the method that `Deno.inspect` calls. */
const INSPECT = Symbol.for("Deno.customInspect");

type Inspect = (value: unknown, options: unknown) => string;

/**
 * Has `Deno.inspect` show facts of an object, or of all objects of a prototype,
 * behind the name of their class. The method is not among the properties that a
 * program lists.
 */
export function showAs<T extends object>(shown: T, name: string, facts: (shown: T) => unknown): void {
  Object.defineProperty(shown, INSPECT, {
    configurable: true,
    value(this: T, inspect: Inspect, options: unknown) {
      const text = inspect(facts(this), options);
      return name === "" ? text : `${name} ${text}`;
    },
  });
}

/** A text that is shown without quotes. */
export class Raw {
  constructor(readonly text: string) {}
}
Object.defineProperty(Raw.prototype, INSPECT, {
  value(this: Raw) {
    return this.text;
  },
});

/** An address as it is shown: in hexadecimal. */
export function shownAddress(address: bigint): Raw {
  return new Raw(hex(address));
}

/** A number of bytes as it is shown: `12 KiB`. */
export function shownSize(bytes: number): Raw {
  let value = bytes;
  for (const unit of ["bytes", "KiB", "MiB"]) {
    if (value < 1024) return new Raw(`${Number(value.toFixed(1))} ${unit}`);
    value /= 1024;
  }
  return new Raw(`${Number(value.toFixed(1))} GiB`);
}

/** The most names that are shown of a list. */
const MOST_NAMES = 8;

/** A list of names as it is shown: the first ones, and how many follow. */
export function shownNames(names: readonly string[]): readonly unknown[] {
  const rest = names.length - MOST_NAMES;
  if (rest <= 0) return names;
  return [...names.slice(0, MOST_NAMES), new Raw(`… ${rest} more`)];
}
