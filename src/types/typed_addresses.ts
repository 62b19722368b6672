/**
 * The types of functions and variables by their addresses, in two typed arrays: a module may have many.
 */

/** The types of a module's functions and variables. */
export class TypedAddresses {
  /** The addresses, ascending. */
  readonly addresses: Float64Array;
  /** The number of the type at each of them. */
  readonly types: Uint32Array;

  /** Without arguments there are none. The arrays are not copied. */
  constructor(addresses: Float64Array = new Float64Array(), types: Uint32Array = new Uint32Array()) {
    this.addresses = addresses;
    this.types = types;
  }

  /** The number of the type at an address; undefined if none is there. */
  at(address: number): number | undefined {
    const index = this.indexOf(address);
    return index < 0 ? undefined : this.types[index];
  }

  /** The index of an address; -1 if it is not among them. */
  indexOf(address: number): number {
    const { addresses } = this;
    let low = 0, high = addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (addresses[middle] < address) low = middle + 1;
      else high = middle;
    }
    return addresses[low] === address ? low : -1;
  }
}
