/** Tests for isolated_test.ts to run: one passes, one fails, one ends its process. */
import { isolated } from "./isolated.ts";

Deno.test("passes (a+b) [c] 1/2: 'd'", isolated(() => {}));
Deno.test(
  "fails",
  isolated(() => {
    throw new Error("on purpose");
  }),
);
Deno.test(
  "crashes",
  isolated(() => {
    // An address that nothing is mapped at.
    const pointer = Deno.UnsafePointer.create(8n)!;
    new Deno.UnsafePointerView(pointer).getUint8();
  }),
);
