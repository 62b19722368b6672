/**
 * Readers of statics: functions that read a variable's value at the price of an
 * element of a typed array, where a pointer view costs hundreds of nanoseconds.
 *
 * V8 makes one access to memory of a read from a typed array that is a constant of
 * its function. With an array in a variable, or a method on the way to it, the read
 * costs eight times as much. Each type has a function text of its own, so that V8
 * compiles one access for it, and so has each kind of memory.
 */

/** The memory of a variable that stays where it is. */
export interface StaticMemory {
  readonly buffer: ArrayBuffer;
  /** Whether the buffer may be read. */
  readonly gate: { readonly open: boolean };
  /** The error of a read when the gate is closed. */
  closedError(): Error;
}

/** The memory of a variable that reloads move. */
export interface MovingStaticMemory {
  /** The variable, until it is moved. */
  readonly buffer: ArrayBuffer;
  /** Open until the variable is moved. */
  readonly gate: { readonly open: boolean };
  /**
   * The variable where it is now.
   *
   * @throws {Error} if the module is closed.
   */
  view(): DataView;
}

type MakeReader<Memory> = (memory: Memory) => () => unknown;

/** Readers of variables that stay where they are, by type. */
const STAYING: Readonly<Record<string, MakeReader<StaticMemory>>> = {
  bool: (memory) => {
    const { gate } = memory, values = new Uint8Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0] !== 0;
    };
  },
  i8: (memory) => {
    const { gate } = memory, values = new Int8Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  u8: (memory) => {
    const { gate } = memory, values = new Uint8Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  i16: (memory) => {
    const { gate } = memory, values = new Int16Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  u16: (memory) => {
    const { gate } = memory, values = new Uint16Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  i32: (memory) => {
    const { gate } = memory, values = new Int32Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  u32: (memory) => {
    const { gate } = memory, values = new Uint32Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  i64: (memory) => {
    const { gate } = memory, values = new BigInt64Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  u64: (memory) => {
    const { gate } = memory, values = new BigUint64Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  f32: (memory) => {
    const { gate } = memory, values = new Float32Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
  f64: (memory) => {
    const { gate } = memory, values = new Float64Array(memory.buffer);
    return () => {
      if (!gate.open) throw memory.closedError();
      return values[0];
    };
  },
};

/** Readers of variables that reloads move, by type. */
const MOVING: Readonly<Record<string, MakeReader<MovingStaticMemory>>> = {
  bool: (memory) => {
    const { gate } = memory, values = new Uint8Array(memory.buffer);
    return () => gate.open ? values[0] !== 0 : memory.view().getUint8(0) !== 0;
  },
  i8: (memory) => {
    const { gate } = memory, values = new Int8Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getInt8(0);
  },
  u8: (memory) => {
    const { gate } = memory, values = new Uint8Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getUint8(0);
  },
  i16: (memory) => {
    const { gate } = memory, values = new Int16Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getInt16(0, true);
  },
  u16: (memory) => {
    const { gate } = memory, values = new Uint16Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getUint16(0, true);
  },
  i32: (memory) => {
    const { gate } = memory, values = new Int32Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getInt32(0, true);
  },
  u32: (memory) => {
    const { gate } = memory, values = new Uint32Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getUint32(0, true);
  },
  i64: (memory) => {
    const { gate } = memory, values = new BigInt64Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getBigInt64(0, true);
  },
  u64: (memory) => {
    const { gate } = memory, values = new BigUint64Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getBigUint64(0, true);
  },
  f32: (memory) => {
    const { gate } = memory, values = new Float32Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getFloat32(0, true);
  },
  f64: (memory) => {
    const { gate } = memory, values = new Float64Array(memory.buffer);
    return () => gate.open ? values[0] : memory.view().getFloat64(0, true);
  },
};

/**
 * Makes the reader of a static that stays where it is; undefined for types that
 * stand for the variable's address.
 *
 * @param memory Opens the variable's memory.
 */
export function staticReader(type: Deno.NativeType, memory: () => StaticMemory): (() => unknown) | undefined {
  return STAYING[wordOf(type)]?.(memory());
}

/** As {@linkcode staticReader}, for a static that reloads move. */
export function movingStaticReader(
  type: Deno.NativeType,
  memory: () => MovingStaticMemory,
): (() => unknown) | undefined {
  return MOVING[wordOf(type)]?.(memory());
}

function wordOf(type: Deno.NativeType): string {
  if (type === "isize") return "i64";
  return type === "usize" ? "u64" : typeof type === "string" ? type : "";
}
