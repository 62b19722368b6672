/** The signatures of the C functions, for the main thread and the Workers. */
export const PRIMES = {
  version: { parameters: [], result: "i32" },
  primes_between: { parameters: ["i32", "i32"], result: "i32" },
} as const;
