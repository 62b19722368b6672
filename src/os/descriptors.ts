/**
 * File descriptors of this process (Linux): profilers want to find files of theirs open, mapped, and appended to by
 * whoever writes to them. A file stays open until the process ends, since others may have found its descriptor.
 */

import { LoadError } from "../errors/load_error.ts";
import { cString } from "./c_strings.ts";
import { openLibrary, type SystemLibrary } from "./library.ts";

const FUNCTIONS = {
  // int open(const char *path, int flags, ...); -1. The third argument is a mode_t.
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // ssize_t write(int fd, const void *buffer, size_t count); -1, or fewer than count
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // ssize_t readlink(const char *path, char *buffer, size_t size); -1
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  // void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset); MAP_FAILED
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  // int clock_gettime(clockid_t clock, struct timespec *time); -1
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  // pid_t gettid(void); cannot fail
  gettid: { parameters: [], result: "i32" },
  // int *__errno_location(void); cannot fail
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const O_RDWR = 2, O_CREAT = 0o100, O_TRUNC = 0o1000, O_APPEND = 0o2000, O_CLOEXEC = 0o2000000;
/** The number differs: `asm-generic/fcntl.h`, and `asm/fcntl.h` of arm64. */
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;
const PROT_READ = 1, PROT_EXEC = 4, MAP_PRIVATE = 2;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const CLOCK_MONOTONIC = 1;
/** The usual limit of open files, and how many descriptors are looked at. */
const MOST_DESCRIPTORS = 1024;

type Functions = Deno.StaticForeignLibraryInterface<typeof FUNCTIONS>;

let library: SystemLibrary<Functions> | undefined;

/** The functions; the C library stays open. */
function functions(): Functions {
  return (library ??= openLibrary(["libc.so.6"], FUNCTIONS)).symbols;
}

/** A file of this process that is open for appending. */
export class AppendedFile {
  readonly path: string;
  readonly #descriptor: number;
  /** Whether somebody else in the process had opened it before, and wrote its beginning. */
  readonly wasOpen: boolean;

  /**
   * Takes the file as the process has it open already, or creates it anew.
   *
   * @throws {LoadError} `PermissionDenied`; `Io`.
   */
  constructor(path: string) {
    this.path = path;
    if (Deno.permissions.querySync({ name: "write", path }).state !== "granted") {
      throw new LoadError("PermissionDenied", "Cannot write the profiler's file: it needs --allow-write", {
        path,
        hint: `run with --allow-write=${path.slice(0, path.lastIndexOf("/")) || "/"}`,
      });
    }
    const known = descriptorOf(path);
    this.wasOpen = known !== undefined;
    const flags = O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
    this.#descriptor = known ?? functions().open(cString(path), flags, 0o600);
    if (this.#descriptor < 0) throw this.#failure("open");
  }

  /** @throws {LoadError} `Io`. */
  append(bytes: Uint8Array<ArrayBuffer>): void {
    for (let rest = bytes; rest.length > 0;) {
      const written = Number(functions().write(this.#descriptor, rest, BigInt(rest.length)));
      if (written <= 0) throw this.#failure("write");
      rest = rest.subarray(written);
    }
  }

  /**
   * Maps the first page for reading and executing, by which `perf record` notices the file. It stays mapped.
   *
   * @throws {LoadError} `Io`.
   */
  mapAsMark(pageSize: number): void {
    const protection = PROT_READ | PROT_EXEC;
    const address = functions().mmap(0n, BigInt(pageSize), protection, MAP_PRIVATE, this.#descriptor, 0n);
    if (address === MAP_FAILED) throw this.#failure("mmap");
  }

  #failure(call: string): LoadError {
    const location = functions().__errno_location();
    const errno = location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
    return new LoadError("Io", `Cannot write the profiler's file: ${call} fails`, {
      path: this.path,
      call,
      errno,
      hint: "check that its folder exists, has room, and that no file of another user has the name",
    });
  }
}

/** The descriptor by which this process has a file open for writing; undefined if it does not. */
function descriptorOf(path: string): number | undefined {
  const target = new Uint8Array(4096);
  const { readlink } = functions();
  for (let descriptor = 3; descriptor < MOST_DESCRIPTORS; descriptor++) {
    const link = cString(`/proc/self/fd/${descriptor}`);
    const length = Number(readlink(link, target, BigInt(target.length)));
    if (length === path.length && new TextDecoder().decode(target.subarray(0, length)) === path) {
      return descriptor;
    }
  }
  return undefined;
}

/** Nanoseconds of the clock that `perf record -k mono` uses. */
export function monotonicTime(): bigint {
  const time = new BigInt64Array(2);
  functions().clock_gettime(CLOCK_MONOTONIC, time);
  return time[0] * 1_000_000_000n + time[1];
}

/** The number of this thread. */
export function threadId(): number {
  return functions().gettid();
}
