/**
 * What is known of a file that was read, to tell later whether it is still the
 * same one without having kept its contents.
 */

/** A file as the system described it when it was read. */
export interface FileStamp {
  readonly info: Deno.FileInfo;
  /** When that was, in milliseconds. */
  readonly time: number;
}

/**
 * The longest that a file system's clock may stand still, in milliseconds: two
 * writes within that time may carry one time.
 */
const CLOCK_STEP = 20;

/** What the system says of a file now. */
export function stampOf(info: Deno.FileInfo): FileStamp {
  return { info, time: Date.now() };
}

/**
 * Whether a file is surely what it was. One that had just been written when it
 * was read may have been written again, unseen by any clock.
 */
export function isSameFile({ info: before, time }: FileStamp, now: Deno.FileInfo): boolean {
  const written = before.mtime?.getTime() ?? Infinity;
  return isSameMoment(before, now) && written + CLOCK_STEP < time;
}

/** Whether nothing that the system knows of a file has changed. */
export function isSameMoment(before: Deno.FileInfo, after: Deno.FileInfo): boolean {
  return before.size === after.size && before.mtime?.getTime() === after.mtime?.getTime() &&
    isSameInode(before, after);
}

/** Whether both are one file, changed or not, as far as the system tells files apart. */
export function isSameInode(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
