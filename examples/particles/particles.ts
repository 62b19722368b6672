// Written by `smf types particles_v2.smf`: change nothing here, run it again.

/** `struct particle`, 24 bytes. */
export class particle {
  /** Size in bytes. */
  static readonly size = 24;
  /** Hash of the layout, as `smf inspect --types` shows it. */
  static readonly layout = "d98c32e528108798";
  /** Offsets of the fields in bytes. */
  static readonly offsets = {
    x: 0,
    y: 4,
    vx: 8,
    vy: 12,
    name: 16,
    heat: 20,
  } as const;
  /** The type of parameters and results, for definitions. */
  static readonly type = {
    struct: ["f32", "f32", "f32", "f32", "i8", "i8", "i8", "i8", "f32"],
  } as const;

  /** The bytes: what functions take and return by value. */
  readonly $bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  /** Reads and writes these bytes; without an argument new ones, which are 0. */
  constructor(
    bytes: Uint8Array<ArrayBuffer> | ArrayBuffer = new Uint8Array(24),
  ) {
    this.$bytes = bytesOf(bytes, 24);
    const { buffer, byteOffset } = this.$bytes;
    this.#view = new DataView(buffer, byteOffset, 24);
  }

  /** Makes one of the values of fields; the others are 0. */
  static of(fields: Partial<Omit<particle, "$bytes">>): particle {
    return Object.assign(new particle(), fields);
  }

  /** `float x`, at 0. */
  get x(): number {
    return this.#view.getFloat32(0, true);
  }
  set x(value: number) {
    this.#view.setFloat32(0, value, true);
  }

  /** `float y`, at 4. */
  get y(): number {
    return this.#view.getFloat32(4, true);
  }
  set y(value: number) {
    this.#view.setFloat32(4, value, true);
  }

  /** `float vx`, at 8. */
  get vx(): number {
    return this.#view.getFloat32(8, true);
  }
  set vx(value: number) {
    this.#view.setFloat32(8, value, true);
  }

  /** `float vy`, at 12. */
  get vy(): number {
    return this.#view.getFloat32(12, true);
  }
  set vy(value: number) {
    this.#view.setFloat32(12, value, true);
  }

  /** `char name[4]`, at 16. */
  get name(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(
      this.$bytes.buffer,
      this.$bytes.byteOffset + 16,
      4,
    );
  }
  set name(value: ArrayLike<number>) {
    new Uint8Array(
      this.$bytes.buffer,
      this.$bytes.byteOffset + 16,
      4,
    ).set(value);
  }

  /** `float heat`, at 20. */
  get heat(): number {
    return this.#view.getFloat32(20, true);
  }
  set heat(value: number) {
    this.#view.setFloat32(20, value, true);
  }
}

/** Definitions of what particles_v2.smf exports, for `open` and `bind`. */
export const definitions = {
  /** `double elapsed` */
  elapsed: { type: "f64" },
  /** `struct particle particles[40]`: its address */
  particles: { type: "pointer" },
  /** `void scatter(unsigned int seed)` */
  scatter: { parameters: ["u32"], result: "void" },
  /** `int step(float time)` */
  step: { parameters: ["f32"], result: "i32" },
} as const;

/** The functions and variables that these definitions bind. */
export type Symbols = Deno.StaticForeignLibraryInterface<typeof definitions>;

function bytesOf(
  bytes: Uint8Array<ArrayBuffer> | ArrayBuffer,
  size: number,
): Uint8Array<ArrayBuffer> {
  const all = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  if (all.length < size) {
    throw new RangeError(`${all.length} bytes are fewer than ${size}`);
  }
  return all.subarray(0, size);
}
