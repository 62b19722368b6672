/**
 * Readers of statics: functions that read a variable's value at the price of a
 * property, where a pointer view costs hundreds of nanoseconds.
 *
 * Each type has a function text of its own, so that V8 compiles one access for it.
 */

/** The memory of a variable. */
export interface StaticMemory {
  /**
   * The variable as it is now.
   *
   * @throws {Error} if the module is closed.
   */
  view(): DataView;
}

/** Makes the reader of a static; undefined for types that stand for the variable's address. */
export function staticReader(type: Deno.NativeType, memory: StaticMemory): (() => unknown) | undefined {
  switch (type) {
    case "bool":
      return () => memory.view().getUint8(0) !== 0;
    case "i8":
      return () => memory.view().getInt8(0);
    case "u8":
      return () => memory.view().getUint8(0);
    case "i16":
      return () => memory.view().getInt16(0, true);
    case "u16":
      return () => memory.view().getUint16(0, true);
    case "i32":
      return () => memory.view().getInt32(0, true);
    case "u32":
      return () => memory.view().getUint32(0, true);
    case "i64":
    case "isize":
      return () => memory.view().getBigInt64(0, true);
    case "u64":
    case "usize":
      return () => memory.view().getBigUint64(0, true);
    case "f32":
      return () => memory.view().getFloat32(0, true);
    case "f64":
      return () => memory.view().getFloat64(0, true);
    default:
      return undefined;
  }
}
