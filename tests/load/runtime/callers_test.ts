// The entries in front of callbacks: what other threads call, with the address of the frame as the last argument.
import { assert, assertEquals } from "@std/assert";
import { nextParameterOf } from "../../../src/call/adapter/next_parameter.ts";
import { ADAPTER_SYSTEM } from "../../../src/call/adapter/system.ts";
import { enterCallback } from "../../../src/load/runtime/callers.ts";
import { addressOf, pointerTo } from "../../../src/os/pointer.ts";
import { callersTest } from "../../support/callers.ts";

/** Where a frame has its own address, in bytes from its beginning (native/crash/callers.h). */
const OWN = Deno.build.arch === "aarch64" ? 104 : Deno.build.os === "windows" ? 40 : -56;

const POINT = { struct: ["f64", "f64"] } as const, MIXED = { struct: ["f64", "i64"] } as const;
const WORDS = { struct: ["i64", "i64"] } as const, LARGE = { struct: ["i64", "i64", "i64"] } as const;
const SMALL = { struct: ["u8", "u16"] } as const;
const repeated = <T>(count: number, type: T): T[] => Array.from({ length: count }, () => type);
const SIGNATURES: Readonly<Record<string, readonly Deno.NativeType[]>> = {
  "no parameter": [],
  "numbers of all sizes": ["i8", "u16", "i32", "u64"],
  "as many integers as registers, on some processor, and more": repeated(6, "i32"),
  "seven integers": repeated(7, "i64"),
  "eight integers": repeated(8, "i64"),
  "nine integers": repeated(9, "i64"),
  "ten integers": repeated(10, "i64"),
  "floating-point numbers": repeated(4, "f64"),
  "more floating-point numbers than registers": repeated(11, "f32"),
  "both kinds": ["f64", "i32", "f32", "i64", "f64", "i64", "i64", "f32", "i64", "i64", "i64"],
  "structs in registers": [POINT, MIXED, WORDS, SMALL],
  "a large struct": [LARGE, "i32"],
  "a struct for which no registers are left": [...repeated(5, "i64" as const), WORDS, "i32"],
  "a struct for which seven registers leave one": [...repeated(7, "i64" as const), WORDS],
  "a struct of floating-point numbers behind seven others": [...repeated(7, "f64" as const), POINT, "f64"],
};
const RESULTS: readonly Deno.NativeResultType[] = ["void", "i32", "f64", MIXED, LARGE];

/** A value of a type, another one for each number. */
function valueOf(type: Deno.NativeResultType, number: number): unknown {
  if (typeof type === "object") {
    const bytes = new Uint8Array(8 * type.struct.length);
    // Small enough for a number of any kind; the filling bytes of SMALL stay 0.
    const size = type === SMALL ? 4 : bytes.length;
    return bytes.subarray(0, size).map((_, index) => type === SMALL && index === 1 ? 0 : number + index);
  }
  if (type === "void") return undefined;
  return /^[iu]64$/.test(type) ? BigInt(number) : number;
}

function makeCallback(
  parameters: readonly Deno.NativeType[],
  result: Deno.NativeResultType,
  work: (...values: unknown[]) => unknown,
): Deno.UnsafeCallback {
  return new Deno.UnsafeCallback({ parameters, result } as Deno.UnsafeCallbackDefinition, work as never);
}

for (const [name, parameters] of Object.entries(SIGNATURES)) {
  callersTest(`arguments, results and the frame pass: ${name}`, async () => {
    for (const result of RESULTS) {
      const given = parameters.map((type, index) => valueOf(type, index + 1));
      const returned = valueOf(result, 77);
      const seen: unknown[][] = [];
      let own: bigint | undefined;
      const here = makeCallback(parameters, result, (...values) => {
        seen.push(values);
        return returned;
      });
      const elsewhere = makeCallback([...parameters, "usize"], result, (...values) => {
        const frame = values.pop() as bigint;
        own = new Deno.UnsafePointerView(pointerTo(frame + BigInt(OWN))).getBigUint64();
        seen.push([...values, frame]);
        return returned;
      });
      const next = nextParameterOf({ parameters, result }, ADAPTER_SYSTEM!.convention);
      const entry = enterCallback(addressOf(here.pointer), addressOf(elsewhere.pointer), next)!;
      const call = (nonblocking: boolean) =>
        new Deno.UnsafeFnPointer(pointerTo(entry.address) as never, { parameters, result, nonblocking })
          .call(...given as never[]) as unknown;
      // Deno has null for void, at times.
      assertEquals(call(false) ?? undefined, returned);
      assertEquals(seen.pop(), given);
      assertEquals(await call(true) ?? undefined, returned);
      const [frame, ...values] = seen.pop()!.toReversed();
      assertEquals(values.toReversed(), given);
      assertEquals(frame, own);
      assert(frame !== 0n);
      // Nobody waits there any more.
      assertEquals(entry.callers(frame as bigint), []);
      entry[Symbol.dispose]();
      elsewhere.close();
      here.close();
    }
  });
}
