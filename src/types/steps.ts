/**
 * The steps that turn a value of one type into a value of another. They are few however long an array is:
 * a repetition has the steps of one element. All numbers are little-endian, as modules are.
 */

/** A step of a conversion; places are offsets in bytes from the start of the value or of the element. */
export type Step =
  | {
    /** Copies bytes. */
    readonly kind: "move";
    readonly from: number;
    readonly to: number;
    readonly length: number;
  }
  | {
    /** Copies the first characters of a text; one that ended behind them ends with the last of them. */
    readonly kind: "text";
    readonly from: number;
    readonly to: number;
    readonly length: number;
    /** The number of characters in the old version. */
    readonly whole: number;
  }
  | {
    /** Widens an integer. */
    readonly kind: "widen";
    readonly from: number;
    readonly to: number;
    readonly length: number;
    readonly newLength: number;
    readonly isSigned: boolean;
  }
  | {
    /** Makes a wider floating-point number of a number. */
    readonly kind: "float";
    readonly from: number;
    readonly to: number;
    readonly length: number;
    readonly newLength: 4 | 8;
    readonly source: "signed" | "unsigned" | "float";
  }
  | {
    /** Copies bits, and fills up with the sign or zeros. Bits count from the lowest. */
    readonly kind: "bits";
    readonly from: number;
    readonly firstBit: number;
    readonly count: number;
    readonly to: number;
    readonly newFirstBit: number;
    readonly newCount: number;
    readonly isSigned: boolean;
  }
  | {
    /** Repeats steps for elements, or takes those of a struct inside another. */
    readonly kind: "repeat";
    readonly from: number;
    readonly to: number;
    readonly count: number;
    /** The distance from one element to the next. */
    readonly step: number;
    readonly newStep: number;
    /** The number of the struct in the old version whose steps these are. */
    readonly struct?: number;
    readonly steps: readonly Step[];
  };

/** Takes steps from the bytes of an old value to those of a new one, which keeps all others. */
export function takeSteps(steps: readonly Step[], from: Uint8Array, to: Uint8Array): void {
  const views = {
    from: new DataView(from.buffer, from.byteOffset, from.byteLength),
    to: new DataView(to.buffer, to.byteOffset, to.byteLength),
  };
  take(steps, { bytes: from, view: views.from }, 0, { bytes: to, view: views.to }, 0);
}

interface Bytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Above so many bytes the runtime's copy is faster than a loop. */
const SHORT = 32;

function take(steps: readonly Step[], old: Bytes, oldBase: number, now: Bytes, newBase: number): void {
  for (let index = 0; index < steps.length; index++) {
    const step = steps[index];
    const from = oldBase + step.from, to = newBase + step.to;
    switch (step.kind) {
      case "move":
        copy(old.bytes, from, now.bytes, to, step.length);
        break;
      case "text":
        copy(old.bytes, from, now.bytes, to, step.length);
        if (endsBetween(old.bytes, from, step.length, step.whole)) now.bytes[to + step.length - 1] = 0;
        break;
      case "widen": {
        copy(old.bytes, from, now.bytes, to, step.length);
        const sign = step.isSigned && old.bytes[from + step.length - 1] >= 0x80 ? 0xff : 0;
        now.bytes.fill(sign, to + step.length, to + step.newLength);
        break;
      }
      case "float": {
        const value = readNumber(old.view, from, step.length, step.source);
        if (step.newLength === 4) now.view.setFloat32(to, value, true);
        else now.view.setFloat64(to, value, true);
        break;
      }
      case "bits":
        copyBits(step, old.bytes, from, now.bytes, to);
        break;
      case "repeat":
        for (let element = 0; element < step.count; element++) {
          take(step.steps, old, from + element * step.step, now, to + element * step.newStep);
        }
    }
  }
}

function copy(old: Uint8Array, from: number, now: Uint8Array, to: number, length: number): void {
  if (length > SHORT) now.set(old.subarray(from, from + length), to);
  else for (let index = 0; index < length; index++) now[to + index] = old[from + index];
}

/** Whether the first 0 of `whole` characters stands behind the first `length` of them. */
function endsBetween(bytes: Uint8Array, from: number, length: number, whole: number): boolean {
  for (let index = 0; index < whole; index++) if (bytes[from + index] === 0) return index >= length;
  return false;
}

function readNumber(
  view: DataView,
  at: number,
  length: number,
  source: "signed" | "unsigned" | "float",
): number {
  if (source === "float") return view.getFloat32(at, true);
  if (length === 1) return source === "signed" ? view.getInt8(at) : view.getUint8(at);
  if (length === 2) return source === "signed" ? view.getInt16(at, true) : view.getUint16(at, true);
  return source === "signed" ? view.getInt32(at, true) : view.getUint32(at, true);
}

function copyBits(
  step: Step & { kind: "bits" },
  old: Uint8Array,
  from: number,
  now: Uint8Array,
  to: number,
): void {
  let bit = 0;
  for (let index = 0; index < step.newCount; index++) {
    if (index < step.count) {
      const at = step.firstBit + index;
      bit = (old[from + (at >>> 3)] >>> (at & 7)) & 1;
    } else if (!step.isSigned) bit = 0;
    const at = step.newFirstBit + index, place = to + (at >>> 3), mask = 1 << (at & 7);
    now[place] = bit === 0 ? now[place] & ~mask : now[place] | mask;
  }
}

/**
 * Finds where bytes of an old value are in the new one.
 *
 * @returns undefined if they do not move as they are.
 */
export function movedTo(steps: readonly Step[], offset: number, length: number): number | undefined {
  for (const step of steps) {
    const inside = offset - step.from;
    if (inside < 0) continue;
    if (step.kind === "move") {
      if (inside + length <= step.length) return step.to + inside;
    } else if (step.kind === "repeat" && inside < step.count * step.step) {
      const element = Math.floor(inside / step.step);
      const moved = movedTo(step.steps, inside - element * step.step, length);
      if (moved !== undefined) return step.to + element * step.newStep + moved;
    }
  }
  return undefined;
}

/**
 * Finds where a place inside an old value is in the new one: an element, a struct, or a field.
 *
 * @param pointee The number of the type that the address is known to be of. Where a struct and its first field
 * begin together and part ways, only that tells them apart.
 * @returns undefined if that is not known.
 */
export function placeOf(
  steps: readonly Step[],
  offset: number,
  pointee: number | undefined,
): number | undefined {
  for (const step of steps) {
    const inside = offset - step.from;
    if (inside < 0) continue;
    switch (step.kind) {
      case "move":
        if (inside < step.length) return step.to + inside;
        break;
      case "text":
        if (inside < step.whole) return inside < step.length ? step.to + inside : undefined;
        break;
      case "repeat":
        if (inside < step.count * step.step) {
          const element = Math.floor(inside / step.step);
          const start = step.to + element * step.newStep, rest = inside - element * step.step;
          const isStart = rest === 0 && step.struct !== undefined;
          if (isStart && step.struct === pointee) return start;
          const field = placeOf(step.steps, rest, pointee);
          if (field === undefined || (isStart && pointee === undefined && field !== 0)) return undefined;
          return start + field;
        }
        break;
      case "bits":
        break;
      default:
        if (inside === 0) return step.to;
    }
  }
  return undefined;
}
