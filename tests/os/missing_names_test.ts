// The next step for an undefined name, by what the name is.
import { assert, assertEquals } from "@std/assert";
import { stepForMissing } from "../../src/os/missing_names.ts";

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  "libgcc_s.so.1": [
    ..."__udivti3 __umodti3 __divti3 __multi3 __popcountdi2 __divsc3 __muldc3 __multc3 __powidf2".split(" "),
    ..."__addtf3 __extenddftf2 __trunctfdf2 __floattidf __floatuntisf __fixunsdfti __eqtf2 __mulvdi3".split(
      " ",
    ),
  ],
  "the only library": [
    "__cpu_model",
    "__cpu_indicator_init",
    "__aarch64_ldadd4_acq_rel",
    "__aarch64_cas8_relax",
  ],
  "libgcov.a": ["__gcov_init", "__gcov_merge_add", "__llvm_profile_runtime"],
  "-fsanitize": ["__asan_report_load4", "__ubsan_handle_add_overflow"],
  "libstdc++.so.6": [
    "_ZNSt6vectorIiE",
    "_ZSt4cout",
    "_Znwm",
    "_ZdlPv",
    "__cxa_throw",
    "__gxx_personality_v0",
  ],
  "the shared C library": ["_dl_x86_cpu_features", "_rtld_global_ro"],
  "libgomp.so.1": ["GOMP_parallel", "omp_get_num_threads"],
  "/GS-": ["__security_init_cookie", "__GSHandlerCheck_SEH", "__GSHandlerCheck_EH4"],
  "/guard:cf": ["__guard_dispatch_icall_fptr"],
  "/RTC": ["_RTC_CheckStackVars"],
  "libmingwex.a": ["__mingw_vsprintf", "__mingw_strtod"],
  "libgcc.a": ["__emutls_get_address"],
  "vcruntime140.dll": ["__CxxFrameHandler3", "__C_specific_handler", "__std_terminate"],
  "operators `new` and `delete`": ["??2@YAPEAX_K@Z", "??3@YAXPEAX@Z", "??_U@YAPEAX_K@Z", "??_V@YAXPEAX_K@Z"],
  "-fno-stack-protector": ["__stack_chk_guard"],
  "macOS's own library": [
    "__error",
    "__stderrp",
    "__sincos_stret",
    "memset_pattern16",
    "os_unfair_lock_lock",
  ],
  "--allow-undefined": ["SZ_compress_args", "__cxa_atexit", "__my_function", "printf"],
};

Deno.test("each family of names has its own next step", () => {
  for (const [step, names] of Object.entries(EXPECTED)) {
    for (const name of names) {
      assert(stepForMissing([name]).includes(step), `${name}: ${stepForMissing([name])}`);
    }
  }
});

Deno.test("several families are named once each, and names of none get the general step", () => {
  const step = stepForMissing(["__udivti3", "__umodti3", "SZ_x", "GOMP_barrier"]);
  assertEquals(step.match(/libgcc_s/g)?.length, 1);
  assert(step.includes("for 'GOMP_barrier'") && step.includes("for the others"), step);
});
