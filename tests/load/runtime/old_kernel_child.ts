/**
 * Runs tests where the kernel does not answer PROCMAP_QUERY, as before Linux 6.11: under a filter that refuses the
 * request, which all processes inherit that this one starts. Arguments: those of `deno test`.
 *
 * Prints `no filter` if the system allows none.
 */
const libc = Deno.dlopen("libc.so.6", {
  // int prctl(int op, unsigned long, unsigned long, unsigned long, unsigned long); -1
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  // int open(const char *path, int flags, ...); -1
  open: { parameters: ["buffer", "i32"], result: "i32" },
  // int ioctl(int file, unsigned long request, ...); -1
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  // int close(int file); -1
  close: { parameters: ["i32"], result: "i32" },
});

/** The request, and the size of its struct in 64-bit words. */
const PROCMAP_QUERY = 0xc068_6611, QUERY_WORDS = 13;

/** Whether the kernel answers the request. */
function answers(): boolean {
  const file = libc.symbols.open(new TextEncoder().encode("/proc/self/maps\0"), 0);
  const query = new BigUint64Array(QUERY_WORDS);
  query[0] = BigInt(query.byteLength);
  // COVERING_OR_NEXT_VMA: the first mapping of all.
  query[1] = 0x10n;
  const result = libc.symbols.ioctl(file, BigInt(PROCMAP_QUERY), query);
  libc.symbols.close(file);
  return result === 0;
}

/** Has the kernel refuse the request from now on, in this thread and what it starts. Returns false if it cannot. */
function refuseQueries(): boolean {
  const LOAD = 0x20, IS_EQUAL = 0x15, RETURN = 0x06;
  const NUMBER = 0, SECOND_ARGUMENT = 24, IOCTL = 16;
  const ALLOW = 0x7fff_0000, FAIL = 0x0005_0000, ENOTTY = 25;
  // struct sock_filter { __u16 code; __u8 jt, jf; __u32 k; }
  const program = [
    [LOAD, 0, 0, NUMBER],
    [IS_EQUAL, 0, 3, IOCTL],
    [LOAD, 0, 0, SECOND_ARGUMENT],
    [IS_EQUAL, 0, 1, PROCMAP_QUERY],
    [RETURN, 0, 0, FAIL | ENOTTY],
    [RETURN, 0, 0, ALLOW],
  ];
  const bytes = new DataView(new ArrayBuffer(8 * program.length));
  program.forEach(([code, then, otherwise, value], index) => {
    bytes.setUint16(8 * index, code, true);
    bytes.setUint8(8 * index + 2, then);
    bytes.setUint8(8 * index + 3, otherwise);
    bytes.setUint32(8 * index + 4, value, true);
  });
  // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
  const header = new BigUint64Array([
    BigInt(program.length),
    Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)),
  ]);
  const PR_SET_SECCOMP = 22, PR_SET_NO_NEW_PRIVS = 38, SECCOMP_MODE_FILTER = 2n;
  const { prctl } = libc.symbols;
  return prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n) === 0 &&
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, addressOf(header), 0n, 0n) === 0;
}

function addressOf(words: BigUint64Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(words));
}

if (!refuseQueries()) {
  console.log("no filter");
} else {
  if (answers()) throw new Error("The kernel answers all the same");
  const status = new TextDecoder().decode(
    new Deno.Command("cat", { args: ["/proc/self/status"] }).outputSync().stdout,
  );
  if (!/^Seccomp:\s+2$/m.test(status)) throw new Error(`A program has no filter:\n${status}`);
  // In this thread, since others have no filter.
  const { code, stdout, stderr } = new Deno.Command(Deno.execPath(), { args: ["test", ...Deno.args] })
    .outputSync();
  await Deno.stdout.write(stdout);
  await Deno.stderr.write(stderr);
  Deno.exitCode = code;
}
