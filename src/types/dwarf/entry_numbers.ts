/**
 * The numbers of the types that entries describe. Every reference to a type asks here.
 */

/** Numbers by the places of entries in one object; objects use one after another. */
export class EntryNumbers {
  /** Places, and the numbers of their types. At most half of the table is in use. */
  #places = new Int32Array(1024);
  #numbers = new Int32Array(1024);
  #count = 0;

  /** Forgets all entries. */
  clear(): void {
    this.#count = 0;
    this.#numbers.fill(0);
  }

  /** Returns the number of an entry's type; 0 if it has none yet. */
  get(place: number): number {
    const mask = this.#places.length - 1;
    let at = hash(place) & mask;
    while (this.#numbers[at] !== 0) {
      if (this.#places[at] === (place | 0)) return this.#numbers[at];
      at = (at + 1) & mask;
    }
    return 0;
  }

  /** Adds an entry, which has no number yet. */
  add(place: number, number: number): void {
    if (2 * ++this.#count > this.#places.length) this.#grow();
    this.#insert(place, number);
  }

  #insert(place: number, number: number): void {
    const mask = this.#places.length - 1;
    let at = hash(place) & mask;
    while (this.#numbers[at] !== 0) at = (at + 1) & mask;
    this.#places[at] = place;
    this.#numbers[at] = number;
  }

  #grow(): void {
    const [places, numbers] = [this.#places, this.#numbers];
    this.#places = new Int32Array(4 * places.length);
    this.#numbers = new Int32Array(4 * places.length);
    for (let i = 0; i < places.length; i++) if (numbers[i] !== 0) this.#insert(places[i], numbers[i]);
  }
}

function hash(place: number): number {
  const mixed = Math.imul(place, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
