// Guards, and code that jumps over its own frames (setjmp, longjmp).
import { assertEquals } from "@std/assert";
import { compileModule } from "../../support/compiled_module.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { runChild } from "../../support/modules.ts";

const SOURCE = `#include <setjmp.h>
static jmp_buf back;
static int *volatile nothing;
__attribute__((noinline, noclone)) static int deep(int levels, int crashes) {
  if (levels > 0) return deep(levels - 1, crashes) + 1;
  if (crashes) *nothing = 1;
  longjmp(back, 20);
}
int jump(int number) {
  int came = setjmp(back);
  if (came == 0) return deep(30, 0);
  return number + came;
}
int crash_after(int number) {
  if (setjmp(back) == 0) return deep(30, 0);
  *nothing = number;
  return number;
}
int crash_deep(int levels) { return deep(levels, 1) + 1; }
int call(int (*callback)(int), int number) { return callback(number) + 1; }
`;

for (const level of ["-O0", "-O2"]) {
  testWithCompilers(
    ["gcc"],
    `crashes are exceptions before and after a jump over frames (${level})`,
    async (folder) => {
      const recipe = { flags: [level, "-fPIC"], link: { unwind: true } };
      const path = await compileModule(folder, "jumps", SOURCE, recipe);
      const { code, stdout, stderr } = await runChild(new URL("./guard_jumps_child.ts", import.meta.url), {
        args: [path],
      });
      assertEquals([code, stdout], [0, "held\n"], stderr);
    },
  );
}
