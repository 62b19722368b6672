/** Adapters in memory: freed on every path, and known to the system's unwinder. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError, Protection } from "../../../mod.ts";
import { NO_STRINGS } from "../../../src/call/adapter/adaptation.ts";
import { openAdapters } from "../../../src/call/adapter/block.ts";
import { planCall } from "../../../src/call/adapter/call_plan.ts";
import type { AdapterCode, AdapterSignature } from "../../../src/call/adapter/signature.ts";
import { ADAPTER_SYSTEM } from "../../../src/call/adapter/system.ts";
import { leavesOf } from "../../../src/types/definition_words.ts";
import { compile } from "../../bench/compiler.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { HERE, isMapped, nativeTest } from "../../support/modules.ts";

const WORD = { kind: "word", class: "integer" } as const;
const NUMBER = { kind: "number" } as const;
const LARGE = leavesOf({ struct: Array.from({ length: 9 }, () => "i64" as const) });

const SIGNATURES: readonly AdapterSignature[] = [
  { parameters: [NUMBER], result: { kind: "number", signed: true } },
  {
    parameters: [NUMBER, ...Array.from({ length: 9 }, () => WORD)],
    result: { kind: "number", signed: true },
  },
  { parameters: [NUMBER, { kind: "struct", leaves: LARGE }], result: { kind: "number", signed: true } },
];

function write(signature: AdapterSignature, address: bigint): AdapterCode {
  const plan = planCall(signature, ADAPTER_SYSTEM!.convention)!;
  return ADAPTER_SYSTEM!.write(plan, { address, beyond: 0n, strings: NO_STRINGS });
}

nativeTest("adapters are in memory that nobody can write, until they are disposed of", () => {
  const allocator = new FailingAllocator();
  const protections: string[] = [];
  const { protect } = allocator;
  allocator.protect = (...parameters) => {
    protections.push(parameters[1]);
    protect.apply(allocator, parameters);
  };
  const block = openAdapters(SIGNATURES.map((signature) => write(signature, 1n)), allocator);
  assertEquals(protections, [Protection.READ_EXECUTE]);
  assertEquals(block.addresses.length, 3);
  for (const address of block.addresses) assert(isMapped(address) && address % 16n === 0n);
  block[Symbol.dispose]();
  assert(!isMapped(block.addresses[0]));
  assertEquals(allocator.live.size, 0);
});

nativeTest("memory for adapters that cannot be made executable is freed", () => {
  const allocator = new FailingAllocator();
  allocator.protect = () => {
    throw new LoadError("OutOfMemory", "Cannot protect memory: the test refuses");
  };
  assertThrows(() => openAdapters([write(SIGNATURES[0], 1n)], allocator), LoadError, "the test refuses");
  assertEquals([allocator.live.size, allocator.freed.length], [0, 1]);
});

/** Asks the system's unwinder whether it knows a frame. */
function asker(): { readonly knows: (address: bigint) => boolean; readonly close: () => void } {
  if (Deno.build.os === "windows") {
    const library = Deno.dlopen("ntdll.dll", {
      // PRUNTIME_FUNCTION RtlLookupFunctionEntry(DWORD64 ControlPc, PDWORD64 ImageBase, void *HistoryTable); NULL
      RtlLookupFunctionEntry: { parameters: ["usize", "buffer", "pointer"], result: "usize" },
    });
    const { RtlLookupFunctionEntry } = library.symbols;
    return {
      knows: (address) => RtlLookupFunctionEntry(address, new BigUint64Array(1), null) !== 0n,
      close: () => library.close(),
    };
  }
  const library = Deno.dlopen("libgcc_s.so.1", {
    // const fde *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases); NULL
    _Unwind_Find_FDE: { parameters: ["usize", "buffer"], result: "usize" },
  });
  const { _Unwind_Find_FDE } = library.symbols;
  return {
    knows: (address) => _Unwind_Find_FDE(address, new BigUint64Array(3)) !== 0n,
    close: () => library.close(),
  };
}

nativeTest("the unwinder knows the frames of adapters for as long as these are there", () => {
  const { knows, close } = asker();
  const codes = SIGNATURES.map((signature) => write(signature, 1n));
  const { addresses, [Symbol.dispose]: dispose } = openAdapters(codes);
  addresses.forEach((address, index) => {
    assert(knows(address) && knows(address + BigInt(codes[index].bytes.length - 1)));
  });
  assert(!knows(addresses[0] - 1n));
  dispose();
  for (const address of addresses) assert(!knows(address));
  close();
});

const WALK = `
#include <stdint.h>
#include <stddef.h>
struct context;
typedef int (*visit)(struct context *, void *);
int _Unwind_Backtrace(visit, void *);
uintptr_t _Unwind_GetIP(struct context *);
static uintptr_t frames[8];
static int count;
static int add(struct context *context, void *data) {
  if (count < 8) frames[count++] = _Unwind_GetIP(context);
  return 0;
}
int64_t walk(int64_t number) {
  count = 0;
  _Unwind_Backtrace(add, NULL);
  return number + count;
}
int64_t frame(int32_t index) { return index < count ? (int64_t) frames[index] : 0; }
struct large { int64_t words[9]; };
double call1(double (*f)(double)) { double got = f(1); return got + 0.25; }
double call2(double (*f)(double, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)) {
  double got = f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
  return got + 0.25;
}
double call3(double (*f)(double, struct large *)) { struct large l = {{0}}; double got = f(1, &l); return got + 0.25; }
`;

Deno.test({
  name: HERE
    ? "a walk over the stack passes through every kind of adapter"
    : "a walk over the stack passes through adapters (SKIPPED: needs Linux x86-64)",
  ignore: !HERE,
  async fn() {
    using compiled = await compile(WALK, ["-O2", "-fno-omit-frame-pointer"]);
    if (compiled === undefined) return console.log("SKIPPED: there is no C compiler (cc)");
    const library = Deno.dlopen(compiled.library, {
      walk: { type: "pointer" },
      frame: { parameters: ["i32"], result: "i64" },
      call1: { parameters: ["usize"], result: "f64" },
      call2: { parameters: ["usize"], result: "f64" },
      call3: { parameters: ["usize"], result: "f64" },
    });
    const addresses = Deno.dlopen(compiled.library, {
      call1: { type: "pointer" },
      call2: { type: "pointer" },
      call3: { type: "pointer" },
    });
    const { symbols } = library;
    const walk = BigInt(Deno.UnsafePointer.value(symbols.walk));
    using block = openAdapters(SIGNATURES.map((signature) => write(signature, walk)));
    for (const [index, name] of (["call1", "call2", "call3"] as const).entries()) {
      const result = symbols[name](block.addresses[index]);
      assertEquals(result % 1, 0.25);
      const caller = BigInt(Deno.UnsafePointer.value(addresses.symbols[name]));
      const [, adapter, next] = [0, 1, 2].map((at) => symbols.frame(at));
      assert(
        adapter > block.addresses[index] && adapter < block.addresses[index] + 400n,
        "the adapter's frame",
      );
      assert(next > caller && next < caller + 400n, `${name} is the caller of the adapter`);
    }
    library.close();
    addresses.close();
  },
});
