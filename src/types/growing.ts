/**
 * Lists of Int32 numbers that grow. The garbage collector never looks into them, as it does into arrays.
 */

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
    if (this.length === this.values.length) {
      const larger = new Int32Array(2 * this.values.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length] = value;
    return this.length++;
  }
}
