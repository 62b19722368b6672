/**
 * SHA-256 (FIPS 180-4). Written here because the built-in one is either
 * asynchronous or costs 30 ms to import, more than most links take.
 */

/** The first 32 bits of the fractional parts of `root` of the first primes. */
function fractions(count: number, root: (prime: number) => number): Int32Array {
  const found = new Int32Array(count);
  for (let n = 2, i = 0; i < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0;
    if (prime) found[i++] = (root(n) % 1) * 0x100000000;
  }
  return found;
}

const ROUND = fractions(64, Math.cbrt);
const START = fractions(8, Math.sqrt);

/** SHA-256 in pieces of any length. */
export class Sha256 {
  readonly #state: Int32Array = START.slice();
  readonly #schedule: Int32Array = new Int32Array(64);
  readonly #rest: Uint8Array = new Uint8Array(64);
  #length = 0;

  /** Takes the next bytes. */
  update(bytes: Uint8Array): this {
    const held = this.#length % 64;
    this.#length += bytes.length;
    let at = 0;
    if (held > 0) {
      at = Math.min(64 - held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), held);
      if (held + at < 64) return this;
      this.#blocks(this.#rest, 0, 64);
    }
    const end = at + (bytes.length - at) - ((bytes.length - at) % 64);
    this.#blocks(bytes, at, end);
    this.#rest.set(bytes.subarray(end));
    return this;
  }

  /** The 32 bytes of the hash. Nothing may be taken afterwards. */
  digest(): Uint8Array {
    const held = this.#length % 64;
    const tail = new Uint8Array(held < 56 ? 64 : 128);
    tail.set(this.#rest.subarray(0, held));
    tail[held] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(tail.length - 8, Math.floor(this.#length / 0x20000000)); // length in bits
    view.setUint32(tail.length - 4, this.#length << 3);
    this.#blocks(tail, 0, tail.length);
    const hash = new DataView(new ArrayBuffer(32));
    this.#state.forEach((word, i) => hash.setInt32(4 * i, word));
    return new Uint8Array(hash.buffer);
  }

  #blocks(bytes: Uint8Array, start: number, end: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const w = this.#schedule;
    const state = this.#state;
    for (let block = start; block < end; block += 64) {
      for (let t = 0; t < 16; t++) w[t] = view.getInt32(block + 4 * t);
      for (let t = 16; t < 64; t++) {
        const x = w[t - 15];
        const y = w[t - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[t] = (w[t - 16] + s0 + w[t - 7] + s1) | 0;
      }
      let a = state[0], b = state[1], c = state[2], d = state[3];
      let e = state[4], f = state[5], g = state[6], h = state[7];
      for (let t = 0; t < 64; t++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (h + s1 + (g ^ (e & (f ^ g))) + ROUND[t] + w[t]) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
        h = g, g = f, f = e, e = (d + t1) | 0;
        d = c, c = b, b = a, a = (t1 + t2) | 0;
      }
      state[0] += a, state[1] += b, state[2] += c, state[3] += d;
      state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
  }
}
