// Sources for tests of debug information: functions in functions, several files' worth of lines.

/** C with an inlined function in an inlined function, recursion, and a thread-local variable. */
export const C_SOURCE = `static int depth_reached;
__thread int per_thread = 3;
static inline __attribute__((always_inline)) int innermost(int x) {
  depth_reached += x;
  return x * 2 + depth_reached;
}
static inline __attribute__((always_inline)) int twice(int x) {
  int half = innermost(x) / 2;
  return half * 3;
}
__attribute__((noinline)) int inner(int n) {
  int local = twice(n * 3);
  depth_reached = local + per_thread;
  if (n == 0) return local;
  return inner(n - 1) + local;
}
int outer(int n) {
  return inner(n) + 1;
}
`;

/** C++ with templates in COMDAT groups and a method that may be inlined. */
export const CPP_SOURCE = `template <class T> struct stack {
  T items[8];
  int size = 0;
  void push(T item) { items[size++] = item; }
  T pop() { return items[--size]; }
};
template <class T> __attribute__((noinline)) T doubled(T value) {
  return value + value;
}
extern "C" int use(int x) {
  stack<int> s;
  s.push(doubled(x));
  s.push(static_cast<int>(doubled<long>(x)));
  return s.pop() + s.pop();
}
`;

/** Rust with iterators that are inlined from the core library. */
export const RUST_SOURCE = `#[no_mangle]
pub extern "C" fn sum(n: i32) -> i32 {
    (0..n).map(|x| x * 3).filter(|x| x % 2 == 0).sum()
}
`;

/** The number of the first line of a source that has a text. */
export function lineOf(text: string, source: string): number {
  return source.split("\n").findIndex((line) => line.includes(text)) + 1;
}

/** Compiles the Rust source to `lines.o`. */
export async function compileRust(
  folder: string,
  rustc: (...args: string[]) => Promise<string>,
): Promise<void> {
  Deno.writeTextFileSync(`${folder}/lines.rs`, RUST_SOURCE);
  await rustc(
    "-g",
    "-O",
    "--emit",
    "obj",
    "--crate-type",
    "lib",
    "-C",
    "panic=abort",
    "lines.rs",
    "-o",
    "lines.o",
  );
}
