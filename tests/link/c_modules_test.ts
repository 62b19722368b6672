// Modules made from C: their functions behave as their sources say.
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ModuleLoader } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { HostLibrary } from "../support/host_library.ts";
import { isolated } from "../support/isolated.ts";
import { atexitObject } from "../support/machine_code.ts";

const runnable = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

function linuxTest(name: string, work: () => void | Promise<void>): void {
  Deno.test({
    name: runnable ? name : `${name} (SKIPPED: needs Linux on x86-64)`,
    ignore: !runnable,
    fn: isolated(work),
  });
}

function module(name: string): Uint8Array {
  return Deno.readFileSync(fromFileUrl(new URL(`../../fixtures/c/${name}.smf`, import.meta.url)));
}

/** Waits until `happened` returns true, for events of later turns of the event loop such as freeing a module. */
async function eventually(happened: () => boolean): Promise<void> {
  for (let turn = 0; turn < 400 && !happened(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const encode = (text: string) => new TextEncoder().encode(`${text}\0`) as Uint8Array<ArrayBuffer>;
const decode = (pointer: Deno.PointerValue): string => Deno.UnsafePointerView.getCString(pointer!);

linuxTest("arith.c: numbers of every kind", () => {
  using loaded = new ModuleLoader().loadBytes(module("arith"));
  const { symbols } = loaded.bind({
    add_i32: { parameters: ["i32", "i32"], result: "i32" },
    add_i64: { parameters: ["i64", "i64"], result: "i64" },
    add_f64: { parameters: ["f64", "f64"], result: "f64" },
    circle_area: { parameters: ["f64"], result: "f64" },
    sum_u32: { parameters: ["buffer", "u64"], result: "u64" },
    sum8: { parameters: ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"], result: "i32" },
  });
  assertEquals(symbols.add_i32(2, -3), -1);
  assertEquals(symbols.add_i64(2n ** 40n, 1n), 2n ** 40n + 1n);
  assertEquals(symbols.add_f64(0.5, 0.25), 0.75);
  assertEquals(symbols.circle_area(2), Math.PI * 4);
  assertEquals(symbols.sum_u32(Uint32Array.of(1, 2, 0xffffffff), 3n), 0x100000002n);
  assertEquals(symbols.sum8(1, 2, 3, 4, 5, 6, 7, 8), 36);
});

linuxTest("strings.c: strings, tables, variables, a jump table", () => {
  using loaded = new ModuleLoader().loadBytes(module("strings"));
  const { symbols } = loaded.bind({
    weekday: { parameters: ["u32"], result: "pointer" },
    next_count: { parameters: [], result: "i32" },
    calls: { parameters: [], result: "i32" },
    keep: { parameters: ["buffer"], result: "pointer" },
    classify: { parameters: ["u32"], result: "i32" },
    counter: { type: "i32" },
    last_note: { type: "i32" },
  });
  assertEquals([0, 3, 6, 7].map((day) => decode(symbols.weekday(day))), [
    "Monday",
    "Thursday",
    "Sunday",
    "none",
  ]);
  assertEquals([symbols.next_count(), symbols.next_count(), symbols.counter], [41, 42, 42]);
  assertEquals([symbols.calls(), symbols.calls()], [1, 2]);
  assertEquals(decode(symbols.keep(encode("kept"))), "kept");
  assertEquals([0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => symbols.classify(i)), [
    4,
    28,
    12,
    23,
    68,
    39,
    1,
    7,
    -1,
  ]);
  assertEquals(symbols.last_note, 79);
});

linuxTest("callback.c: functions given as arguments, as imports and in tables", () => {
  const host = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i32" }, (value) => value + 100);
  const compare = new Deno.UnsafeCallback({ parameters: ["pointer", "pointer"], result: "i32" }, (a, b) => {
    const read = (pointer: Deno.PointerValue) => new Deno.UnsafePointerView(pointer!).getInt32();
    return read(b) - read(a);
  });
  try {
    const address = BigInt(Deno.UnsafePointer.value(host.pointer));
    const resolver = (name: string) => name === "host_callback" ? address : undefined;
    using loaded = new ModuleLoader().loadBytes(module("callback"), resolver);
    const { symbols } = loaded.bind({
      apply: { parameters: ["function", "i32"], result: "i32" },
      ask_host: { parameters: ["i32"], result: "i32" },
      host_address: { parameters: [], result: "pointer" },
      by_table: { parameters: ["u32", "i32"], result: "i32" },
      sort_i32: { parameters: ["buffer", "usize", "function"], result: "void" },
    });
    assertEquals(symbols.apply(host.pointer, 1), 102);
    assertEquals(symbols.ask_host(5), 210);
    assertEquals(
      BigInt(Deno.UnsafePointer.value(symbols.host_address())),
      address,
      "one address for everybody",
    );
    assertEquals([0, 1, 2].map((i) => symbols.by_table(i, 7)), [14, 214, -1]);
    const values = Int32Array.of(3, 9, 1, 7);
    symbols.sort_i32(values, 4n, compare.pointer);
    assertEquals([...values], [9, 7, 3, 1]);
  } finally {
    host.close();
    compare.close();
  }
});

linuxTest("ctor.c: constructors run in order, destructors in reverse when the module goes", async () => {
  const marks = new Uint8Array(8);
  const loaded = new ModuleLoader().loadBytes(module("ctor"));
  const { symbols } = loaded.bind({
    start_trail: { parameters: [], result: "pointer" },
    leave_marks_at: { parameters: ["buffer"], result: "void" },
  });
  assertEquals(decode(symbols.start_trail()), "abc");
  symbols.leave_marks_at(marks);
  loaded.close();
  await eventually(() => marks[2] !== 0);
  assertEquals(new TextDecoder().decode(marks.subarray(0, 3)), "xyz");
});

linuxTest("importer.c: functions and variables of the C library", () => {
  using libc = new HostLibrary("libc.so.6");
  using loaded = new ModuleLoader().loadBytes(module("importer"), libc.resolver);
  const { symbols } = loaded.bind({
    length_of: { parameters: ["buffer"], result: "usize" },
    repeat: { parameters: ["buffer", "u32"], result: "pointer" },
    release: { parameters: ["pointer"], result: "void" },
    format: { parameters: ["buffer", "usize", "buffer", "f64"], result: "i32" },
    has_environment: { parameters: [], result: "i32" },
    parse_error: { parameters: ["buffer"], result: "i32" },
    call_optional: { parameters: ["i32"], result: "i32" },
    sort_ints: { parameters: ["buffer", "usize"], result: "void" },
  });
  assertEquals(symbols.length_of(encode("four")), 4n);
  const repeated = symbols.repeat(encode("ab"), 3);
  assertEquals(decode(repeated), "ababab");
  symbols.release(repeated);
  const text = new Uint8Array(32);
  assertEquals(symbols.format(text, 32n, encode("pi"), Math.PI), 8);
  assertEquals(new TextDecoder().decode(text.subarray(0, 8)), "pi=3.142");
  assertEquals(symbols.has_environment(), 1);
  assertEquals(symbols.parse_error(encode("1")), 22);
  assertEquals(symbols.call_optional(5), -1);
  const values = Int32Array.of(5, -3, 9, 0);
  symbols.sort_ints(values, 4n);
  assertEquals([...values], [-3, 0, 5, 9]);
});

linuxTest("exit_code.c: an entry point that nobody else sees", () => {
  using loaded = new ModuleLoader().loadBytes(module("exit_code"));
  assertEquals(loaded.entryPoint({ parameters: [], result: "i32" })?.(), 42);
  assertEquals(loaded.exports().length, 0);
});

linuxTest("what atexit registers runs when the module goes", async () => {
  using libc = new HostLibrary("libc.so.6");
  const { bytes } = linkObjects([{ name: "atexit.o", bytes: atexitObject() }]);
  const counter = new Int32Array(1);
  const loaded = new ModuleLoader().loadBytes(bytes, libc.resolver);
  const { symbols } = loaded.bind({ register: { parameters: ["buffer"], result: "i32" } });
  assertEquals(symbols.register(counter), 0);
  assertEquals(counter[0], 0);
  loaded.close();
  await eventually(() => counter[0] !== 0);
  assertEquals(counter[0], 1);
});
