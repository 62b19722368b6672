/**
 * Checks of guards on Windows, one by one, in a process that a mistake may end: `guard_windows_child.ts NAME`.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { linkObjects, type LoadedModule, LoadError } from "../../../mod.ts";
import { FOLDER } from "../../../fixtures/build_crashes.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { functionsOf, loadGuarded, makeRegistry } from "../../support/crashes.ts";

const NUMBER = { parameters: ["i32"], result: "i32" } as const;
const WRITES = "EXCEPTION_ACCESS_VIOLATION", OVERFLOW = "EXCEPTION_STACK_OVERFLOW";

/** The exceptions of C++: of Microsoft's compilers, of gcc, and of gcc's forced unwinding. */
export const CPP_EXCEPTIONS = [0xe06d7363, 0x20474343, 0x21474343] as const;

/** The object that clang has made, which has the unwind tables of Windows, behind guards. */
function loadBlocks(): LoadedModule {
  const object = { name: "blocks.obj", bytes: Deno.readFileSync(new URL("blocks.obj", FOLDER)) };
  const { bytes } = linkObjects([object], { platform: Platform.Windows });
  // Its handler of exceptions is the system's.
  return makeRegistry({ libraries: ["ntdll.dll", "kernel32.dll"], onCrash: "throw" }).loadBytes(
    "blocks",
    bytes,
  );
}

const numberOf = (module: LoadedModule, name: string) =>
  module.getFunction(name, NUMBER)! as (number: number) => number;

/** Asserts that a call crashes, and lets further ones through. */
function crashes(module: LoadedModule, name: string, functions: string): void {
  assertEquals(functionsOf(assertThrows(() => numberOf(module, name)(1), LoadError)), functions);
  assert(module.isQuarantined);
  module.endQuarantine();
}

export const CHECKS: Readonly<Record<string, () => void | Promise<void>>> = {
  "blocks of the module come before the guard, and those for the end do not run": () => {
    const module = loadBlocks();
    for (let turn = 1; turn < 12; turn++) {
      assertEquals(numberOf(module, "by_block")(5), 105);
      crashes(module, "by_asking", `${WRITES} in store < in_frame < by_asking`);
      assertEquals(numberOf(module, "counts")(0), turn);
    }
  },

  "functions with tables of Windows, and without a frame": async () => {
    const module = loadBlocks();
    const later = module.getFunction("by_frame", { ...NUMBER, nonblocking: true })!;
    for (let turn = 0; turn < 12; turn++) {
      crashes(module, "by_frame", `${WRITES} in store < in_frame < by_frame`);
      crashes(module, "by_breakpoint", "EXCEPTION_BREAKPOINT in by_breakpoint");
      assertEquals(
        functionsOf(await assertRejects(() => later(1))),
        `${WRITES} in store < in_frame < by_frame`,
      );
      module.endQuarantine();
    }
  },

  "a stack may overflow again and again": async () => {
    const blocks = loadBlocks(), module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    const later = module.getFunction("by_overflow", { ...NUMBER, nonblocking: true })!;
    for (let turn = 0; turn < 5; turn++) {
      crashes(blocks, "by_full_stack", `${OVERFLOW} in recurse < recurse < by_full_stack`);
      crashes(module, "by_overflow", `${OVERFLOW} in by_overflow < by_overflow`);
      // The threads of nonblocking calls are used again.
      assertEquals(
        functionsOf(await assertRejects(() => later(1))),
        `${OVERFLOW} in by_overflow < by_overflow`,
      );
      module.endQuarantine();
    }
    assertEquals(numberOf(blocks, "by_caught_overflow")(5), 205);
  },

  "a block around a callback does not take the crash of a call in the callback": () => {
    const module = loadBlocks();
    const crash = numberOf(module, "by_frame"), caught: string[] = [];
    using stack = new DisposableStack();
    const callback = stack.adopt(
      new Deno.UnsafeCallback(NUMBER, (number) => {
        try {
          return crash(number);
        } catch (error) {
          caught.push(functionsOf(error));
          module.endQuarantine();
          return 40;
        }
      }),
      (callback) => callback.close(),
    );
    const call = module.getFunction("call_in_block", { parameters: ["function", "i32"], result: "i32" })!;
    assertEquals([call(callback.pointer, 1), call(callback.pointer, 2)], [41, 41]);
    assertEquals(caught, Array(2).fill(`${WRITES} in store < in_frame < by_frame`));
  },

  "exceptions of C++ are left to the module's own blocks": () => {
    const module = loadBlocks();
    for (const code of CPP_EXCEPTIONS) assertEquals(numberOf(module, "by_caught_raise")(code | 0), 300);
    assertEquals(module.isQuarantined, false);
  },

  "handlers of the module's own come first": () => {
    const module = loadGuarded(makeRegistry({ onCrash: "throw" }));
    crashes(module, "by_store", `${WRITES} in store < by_store`);
    assertEquals(numberOf(module, "take_exceptions")(0), 1);
    assertEquals([numberOf(module, "by_store")(4), numberOf(module, "by_store")(5)], [4, 5]);
    crashes(module, "by_division", "EXCEPTION_INT_DIVIDE_BY_ZERO in by_division");
  },
};

if (import.meta.main && Deno.args[0] === "raise") {
  // Nobody takes it: the process ends.
  numberOf(loadBlocks(), "by_raise")(Number(Deno.args[1]) | 0);
  console.log("came back");
} else if (import.meta.main) {
  await CHECKS[Deno.args[0]]();
  console.log("held");
}
