/**
 * The state of a file when it was read, to tell later whether it has changed
 * without having kept its contents.
 */

/** The facts that tell files, and states of one file, apart. */
export type FileFacts =
  & Pick<Deno.FileInfo, "size" | "mtime" | "dev" | "ino">
  & Partial<Pick<Deno.FileInfo, "ctime">>;

/** A file as the system described it when it was read. */
export interface FileStamp {
  readonly info: FileFacts;
  /** The time of reading, in milliseconds. */
  readonly time: number;
}

/**
 * The longest that a file system's clock may stand still, in milliseconds: two
 * writes within that time may carry one time.
 */
const CLOCK_STEP = 20;

/** Makes the stamp of a file that is read now. */
export function stampOf({ size, mtime, dev, ino, ctime }: FileFacts): FileStamp {
  // Every loaded module keeps one, so the other fields are left out.
  return { info: { size, mtime, dev, ino, ctime }, time: Date.now() };
}

/** The unit of change times, in milliseconds: Deno tells whole seconds. */
const CHANGE_UNIT = 1000;

/**
 * Whether any later change of the file will show in its times: the last one, of its bytes or of its times, was so
 * long before it was read that the next one cannot have the same.
 */
export function isSettled({ info: { mtime, ctime }, time }: FileStamp): boolean {
  const written = mtime?.getTime() ?? Infinity, changed = ctime?.getTime() ?? Infinity;
  return written + CLOCK_STEP < time && changed + CHANGE_UNIT + CLOCK_STEP < time;
}

/**
 * Whether a file is certainly unchanged since it was read. A file that was
 * written just before it was read may have been written again at the same time
 * of the file system's clock.
 */
export function isSameFile({ info: before, time }: FileStamp, now: FileFacts): boolean {
  const written = before.mtime?.getTime() ?? Infinity;
  return isUnchanged(before, now) && written + CLOCK_STEP < time;
}

/** Whether size, mtime and inode are unchanged. */
export function isUnchanged(before: FileFacts, after: FileFacts): boolean {
  return before.size === after.size && before.mtime?.getTime() === after.mtime?.getTime() &&
    isSameInode(before, after);
}

/** Whether both are one file, changed or not, as far as the system tells files apart. */
export function isSameInode(one: FileFacts, other: FileFacts): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
