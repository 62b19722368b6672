/**
 * What is known of a file that was read, to tell later whether it is still the
 * same one without having kept its contents.
 */

/** What tells a file from another, and from what it was before. */
export type FileFacts = Pick<Deno.FileInfo, "size" | "mtime" | "dev" | "ino">;

/** A file as the system described it when it was read. */
export interface FileStamp {
  readonly info: FileFacts;
  /** When that was, in milliseconds. */
  readonly time: number;
}

/**
 * The longest that a file system's clock may stand still, in milliseconds: two
 * writes within that time may carry one time.
 */
const CLOCK_STEP = 20;

/** What the system says of a file now. */
export function stampOf({ size, mtime, dev, ino }: FileFacts): FileStamp {
  // Every loaded module keeps one: no more than is asked for.
  return { info: { size, mtime, dev, ino }, time: Date.now() };
}

/**
 * Whether a file is surely what it was. One that had just been written when it
 * was read may have been written again, unseen by any clock.
 */
export function isSameFile({ info: before, time }: FileStamp, now: FileFacts): boolean {
  const written = before.mtime?.getTime() ?? Infinity;
  return isSameMoment(before, now) && written + CLOCK_STEP < time;
}

/** Whether nothing that the system knows of a file has changed. */
export function isSameMoment(before: FileFacts, after: FileFacts): boolean {
  return before.size === after.size && before.mtime?.getTime() === after.mtime?.getTime() &&
    isSameInode(before, after);
}

/** Whether both are one file, changed or not, as far as the system tells files apart. */
export function isSameInode(one: FileFacts, other: FileFacts): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
