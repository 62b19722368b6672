/**
 * Names that the loader itself defines, whatever libraries there are.
 */

/** `void *__tls_get_addr(tls_index *)`: the address of this thread's variable. Every program has it. */
export const TLS_GET_ADDR = "__tls_get_addr";

/** The functions by which a module registers others for its end or that of a thread, and those that run them. */
const EXIT_NAMES = [
  ...[
    "__cxa_atexit",
    "__cxa_at_quick_exit",
    "__cxa_finalize",
    "__cxa_thread_atexit",
    "__cxa_thread_atexit_impl",
  ],
  ...["at_quick_exit", "on_exit", "pthread_key_create", "pthread_key_delete", "quick_exit", "tss_create"],
  "tss_delete",
];

/** `void smf_safe_point(void)`: waits while a reload at a safe point is being made. */
export const SAFE_POINT = "smf_safe_point";

/** The names that it defines on Linux only. */
export const LOADER_NAMES: ReadonlySet<string> = new Set([TLS_GET_ADDR, ...EXIT_NAMES]);

/** Whether the loader defines a name. */
export function isLoaderName(name: string, isLinux: boolean): boolean {
  return name === SAFE_POINT || (isLinux && LOADER_NAMES.has(name));
}
