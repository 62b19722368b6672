/** Calls of live functions whose answers say which version gave them. */

/** `answer` and `twin` of one version return its number and that plus {@linkcode TWIN}. */
export const LIVE = {
  answer: { parameters: [], result: "i32" },
  twin: { parameters: [], result: "i32" },
} as const;

/** What `twin` adds. */
export const TWIN = 20_000;

/** What was seen. */
export interface Tally {
  calls: number;
  /** Answers that no version gives. */
  wrong: number;
  /** Answers of a version older than one that had answered before. */
  backwards: number;
  last: number;
  failed: string;
}

/** Calls both functions so many times. */
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
