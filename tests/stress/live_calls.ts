/** Calls of live functions whose results identify the version that returned them. */

/** `answer` returns the number of its version, `twin` that plus {@linkcode TWIN}. */
export const LIVE = {
  answer: { parameters: [], result: "i32" },
  twin: { parameters: [], result: "i32" },
} as const;

/** The difference between the results of `twin` and `answer`. */
export const TWIN = 20_000;

/** Counts of calls and wrong results. */
export interface Tally {
  calls: number;
  /** Results that no version returns. */
  wrong: number;
  /** Results of a version older than that of an earlier result. */
  backwards: number;
  last: number;
  failed: string;
}

/** Calls both functions, `count` times in total. */
export function callBatch(
  { answer, twin }: Deno.StaticForeignLibraryInterface<typeof LIVE>,
  count: number,
  tally: Tally,
): void {
  let { last } = tally;
  for (let call = 0; call < count; call += 2) {
    const first = answer();
    const second = twin() - TWIN;
    if (first < 1 || first > TWIN || second < 1 || second > TWIN) tally.wrong++;
    if (first < last || second < first) tally.backwards++;
    last = second;
  }
  tally.last = last;
  tally.calls += count;
}
