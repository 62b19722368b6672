/**
 * Hardens its own process in the way that its argument says, then uses modules:
 * one that was loaded before, and new ones. Prints the outcome.
 *
 * Runs without V8's compiler, which would be refused as well.
 */
import { LoadError, ModuleRegistry } from "../../mod.ts";
import { ANSWER, descriptors, stubMappings } from "../support/modules.ts";
import { WatchedAllocator } from "../support/testing.ts";
import { version } from "../support/versions.ts";

const libc = Deno.dlopen("libc.so.6", {
  // int prctl(int op, unsigned long, unsigned long, unsigned long, unsigned long); -1
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  // int prctl(int op, unsigned long, struct sock_fprog *filter, unsigned long, unsigned long); -1
  prctl_filter: {
    name: "prctl",
    parameters: ["i32", "usize", "buffer", "usize", "usize"],
    result: "i32",
  },
});

const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_MDWE = 65;
const SECCOMP_MODE_FILTER = 2n;
const SECCOMP_RET_ALLOW = 0x7fff_0000;
const SECCOMP_RET_ERRNO = 0x0005_0000;

/** The instructions of classic BPF that the filters use. */
const [LOAD, JUMP_EQUAL, JUMP_SET, RETURN] = [0x20, 0x15, 0x45, 0x06];
/** Offsets in `struct seccomp_data`: int nr; u32 arch; u64 ip; u64 args[6]. */
const [NUMBER, THIRD_ARGUMENT] = [0, 32];

const NUMBERS = Deno.build.arch === "x86_64"
  ? { mprotect: 10, memfd_create: 319 }
  : { mprotect: 226, memfd_create: 279 };
const PROT_EXEC = 4;

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, value: number];

/** Filters the system calls of this thread from now on. */
function filter(program: readonly Instruction[]): boolean {
  const code = new DataView(new ArrayBuffer(8 * program.length));
  program.forEach(([operation, jumpTrue, jumpFalse, value], index) => {
    code.setUint16(8 * index, operation, true);
    code.setUint8(8 * index + 2, jumpTrue);
    code.setUint8(8 * index + 3, jumpFalse);
    code.setUint32(8 * index + 4, value, true);
  });
  // struct sock_fprog: u16 length; pointer @8
  const description = new BigUint64Array([
    BigInt(program.length),
    BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(code.buffer))),
  ]);
  const { prctl, prctl_filter } = libc.symbols;
  return prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n) === 0 &&
    prctl_filter(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, description, 0n, 0n) === 0;
}

/** Makes mprotect refuse to make memory executable. */
function forbidExecutable(errno: number): boolean {
  return filter([
    [LOAD, 0, 0, NUMBER],
    [JUMP_EQUAL, 0, 3, NUMBERS.mprotect],
    [LOAD, 0, 0, THIRD_ARGUMENT],
    [JUMP_SET, 0, 1, PROT_EXEC],
    [RETURN, 0, 0, SECCOMP_RET_ERRNO | errno],
    [RETURN, 0, 0, SECCOMP_RET_ALLOW],
  ]);
}

/** Makes memfd_create fail. */
function forbidMemoryFiles(errno: number): boolean {
  return filter([
    [LOAD, 0, 0, NUMBER],
    [JUMP_EQUAL, 0, 1, NUMBERS.memfd_create],
    [RETURN, 0, 0, SECCOMP_RET_ERRNO | errno],
    [RETURN, 0, 0, SECCOMP_RET_ALLOW],
  ]);
}

const HARDENINGS: Readonly<Record<string, () => boolean>> = {
  "PR_SET_MDWE": () => libc.symbols.prctl(PR_SET_MDWE, 1n, 0n, 0n, 0n) === 0,
  "mprotect EPERM": () => forbidExecutable(1),
  "mprotect EACCES": () => forbidExecutable(13),
  "memfd_create EPERM": () => forbidMemoryFiles(1),
  "memfd_create ENOSYS": () => forbidMemoryFiles(38),
};

/** The output of this program, as JSON. */
export interface Outcome {
  readonly hardened: boolean;
  /** The outcome of each attempt: a value, or an error's kind, message and hint. */
  readonly attempts: Readonly<Record<string, unknown>>;
  /** The failed attempts that have left memory behind. */
  readonly leaked: readonly string[];
  readonly left: { readonly live: number; readonly stubs: number; readonly descriptors: number };
}

const allocator = new WatchedAllocator();
const registry = new ModuleRegistry({ allocator });
const module = registry.loadBytes("m", version({ functions: { value: 1, other: 2 } }));
const live = registry.open("m", { value: ANSWER });
live.symbols.value();
const open = descriptors().length;

const hardened = HARDENINGS[Deno.args[0]]();
const attempts: Record<string, unknown> = {};
const leaked: string[] = [];

function attempt(name: string, work: () => unknown): void {
  const before = allocator.live.size;
  try {
    attempts[name] = work();
  } catch (error) {
    attempts[name] = error instanceof LoadError
      ? { kind: error.kind, message: error.message, hint: error.hint }
      : String(error);
    if (allocator.live.size !== before) leaked.push(name);
  }
}

const two = version({ functions: { value: 2, other: 3 } });
attempt("old", () => live.symbols.value());
attempt("load", () => registry.loadBytes("new", two).getFunction("value", ANSWER)!());
attempt("reload", () => registry.reload("m", { bytes: two }).version);
attempt("bind", () => module.getFunction("other", ANSWER)!());
attempt("bind fast", () => module.getFunction("other", ANSWER, { callPath: "fast" })!());
attempt("still", () => live.symbols.value());
live.close();
registry[Symbol.dispose]();
const left = {
  live: allocator.live.size,
  stubs: stubMappings(),
  descriptors: descriptors().length - open,
};
console.log(JSON.stringify({ hardened, attempts, leaked, left } satisfies Outcome));
