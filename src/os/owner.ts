/**
 * Whether files belong to the user of this process, and to nobody else.
 */
import { openLibrary } from "./library.ts";

/** glibc's name, musl's, and that of macOS. */
const NAMES = ["libc.so.6", "libc.so", "libSystem.B.dylib"];

/** Bits of a mode that let others than the owner in. */
const OTHERS = 0o077;

let user: number | undefined;

/**
 * The effective user of this process, to whom the files belong that it makes. Unlike `Deno.uid`, this needs
 * `--allow-ffi`, which loading needs anyway, and not `--allow-sys`.
 *
 * Platforms: POSIX.
 */
function effectiveUser(): number {
  if (user !== undefined) return user;
  // uid_t geteuid(void); cannot fail
  using library = openLibrary(NAMES, { geteuid: { parameters: [], result: "u32" } });
  return user = library.symbols.geteuid();
}

/**
 * Says why others than the user of this process may read or change a file or folder; undefined if nobody else can
 * (administrators aside).
 *
 * @param info Of the file itself, not of what a link leads to.
 */
export function whyNotOwn({ isSymlink, uid, mode }: Deno.FileInfo): string | undefined {
  if (isSymlink) return "it is a symbolic link";
  if (uid === null || mode === null) return "this system does not tell to whom it belongs";
  if (uid !== effectiveUser()) return "it belongs to another user";
  return (mode & OTHERS) === 0 ? undefined : "other users may open it";
}
