/**
 * Next steps for undefined names, by what they are: names that belong to a compiler's own libraries.
 */
import { NEXT_STEPS } from "../errors/load_error.ts";

/** The families of names, each with the step that defines them; the first that matches counts. */
const FAMILIES: readonly (readonly [names: RegExp, step: string])[] = [
  [
    /^__(?:cpu_model$|cpu_features2$|cpu_indicator_init$|aarch64_(?:cas|swp|ld(?:add|clr|eor|set))\d)/,
    "link libgcc.a too, the only library that has it: its path is what `gcc -print-libgcc-file-name` prints",
  ],
  [
    /^__(?:gcov_|llvm_profile_|llvm_gcov_)/,
    "compile without --coverage and -fprofile-*, or link libgcov.a (clang: libclang_rt.profile) too",
  ],
  [/^__(?:asan|hwasan|lsan|msan|tsan|ubsan|sanitizer)_/, "compile without -fsanitize"],
  [
    // The arithmetic that processors lack, by the letters of the modes: __udivti3, __popcountdi2, __divsc3.
    /^__(?:[a-z]+(?:[sdt]i|[hsdtx]f|[sdtx]c)[234]?|float(?:un)?[sdt]i[hsdtx]f|fix(?:uns)?[hsdtx]f[sdt]i)$/,
    "name the host library libgcc_s.so.1 (the option `libraries`, --library), or link libgcc.a too: " +
    "its path is what `gcc -print-libgcc-file-name` prints",
  ],
  [
    /^(?:_Unwind_|__(?:de)?register_frame|__gcc_personality_v0$)/,
    "name the host library libgcc_s.so.1 (the option `libraries`, --library)",
  ],
  [
    /^(?:_ZN?K?S[tabsiod]|_ZT[ISV]N?(?:St|10__cxxabiv1)|_Z(?:nw|na|dl|da)|__cxa_(?!atexit|finalize|thread_atexit_impl)|__gxx_personality)/,
    "name the host library libstdc++.so.6 (the option `libraries`, --library)",
  ],
  [
    /^(?:_dl_|_rtld_global)/,
    "use the shared C library instead of glibc's libc.a and libm.a, whose parts only work together: " +
    "leave the archive out, and name libc.so.6 and libm.so.6 (the option `libraries`, --library)",
  ],
  [
    /^__(?:security_init_cookie|GSHandlerCheck)/,
    "compile with /GS- (clang: -fno-stack-protector)",
  ],
  [/^__guard_/, "compile without /guard:cf (clang: -mguard=none)"],
  [/^_RTC_/, "compile without /RTC"],
  [/^__mingw_/, "link MinGW's own libraries, too: libmingwex.a, libmingw32.a, libmsvcrt.a, libkernel32.a"],
  [
    /^__emutls_/,
    "link libgcc.a too, the only library that has it: `gcc -print-libgcc-file-name` prints its path",
  ],
  [
    /^(?:__CxxFrameHandler\d|__C_specific_handler|__std_)/,
    "name the host library vcruntime140.dll (--needed)",
  ],
  [
    /^\?\?(?:[23]|_[UV])@YA/,
    "define the operators `new` and `delete`, which only Microsoft's static libraries have",
  ],
  [/^__stack_chk_guard$/, "compile with -fno-stack-protector"],
  [
    /^(?:__error|__std(?:in|out|err)p|__srget|__swbuf|_DefaultRuneLocale|__maskrune|__sincos(?:pi)?f?_stret|memset_pattern(?:4|8|16)|os_unfair_lock_\w+|__ulock_\w+|pthread_threadid_np|_?dyld_\w+|mach_\w+)$/,
    "compile for the system of the module, or answer with `imports`: only macOS's own library has it",
  ],
  [/^(?:GOMP_|omp_)/, "name the host library libgomp.so.1 (the option `libraries`, --library)"],
  [/^__kmpc_/, "name the host library libomp.so.5 (the option `libraries`, --library)"],
];

/** Names of no family: what they are is known to the program alone. */
const UNKNOWN = `${NEXT_STEPS.UndefinedSymbol}; ` +
  "or answer with `resolver`, or link with --allow-undefined NAME, so that the module loads without it";

/** Returns the next step for undefined names: that of the first name whose family is known. */
export function stepForMissing(names: readonly string[]): string {
  const steps = new Map<string, string>();
  for (const name of names) {
    const family = FAMILIES.find(([pattern]) => pattern.test(name));
    if (family !== undefined && !steps.has(family[1])) steps.set(family[1], name);
  }
  if (steps.size === 0) return UNKNOWN;
  const known = [...steps].map(([step, name]) => `for '${name}' ${step}`);
  const others = names.some((name) => !FAMILIES.some(([pattern]) => pattern.test(name)));
  return others ? `${known.join("; ")}; for the others ${UNKNOWN}` : known.join("; ");
}
