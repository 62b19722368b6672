/**
 * Lists of Int32 numbers that grow. The garbage collector never looks into them, as it does into arrays.
 */

/** Copies an array into one of twice the length. */
export function grown<T extends Int32Array | Uint8Array | Float64Array>(array: T): T {
  const larger = new (array.constructor as new (length: number) => T)(array.length * 2);
  larger.set(array);
  return larger;
}

/** A list of Int32 numbers. */
export class Growing {
  /** The numbers, and room behind them; another array whenever the list grows. */
  values: Int32Array = new Int32Array(1024);
  length = 0;

  constructor(...first: readonly number[]) {
    for (const value of first) this.push(value);
  }

  /** Adds a number; returns its index. */
  push(value: number): number {
    if (this.length === this.values.length) this.values = grown(this.values);
    this.values[this.length] = value;
    return this.length++;
  }

  /** Adds numbers. */
  append(numbers: Int32Array): void {
    while (this.length + numbers.length > this.values.length) this.values = grown(this.values);
    this.values.set(numbers, this.length);
    this.length += numbers.length;
  }

  /** Whether another list has the same numbers. */
  equals({ values, length }: Growing): boolean {
    if (this.length !== length) return false;
    for (let i = 0; i < length; i++) if (this.values[i] !== values[i]) return false;
    return true;
  }
}
