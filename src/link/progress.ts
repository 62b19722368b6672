/**
 * How far a link is, for whoever waits for it.
 */

/** The steps of a link, in order, with their typical shares of its time, in percent. */
export const LINK_STEPS = {
  "resolving names": 22,
  "finding what is reachable": 17,
  "laying out": 8,
  "applying relocations": 15,
  "reading types": 6,
  "linking debug information": 8,
  "writing the module": 24,
} as const;

/** A step of a link. */
export type LinkStep = keyof typeof LINK_STEPS;

/**
 * Hears how far a link is. A link calls it some thousand times at most.
 *
 * @param done How many parts of the step are done.
 * @param total How many parts it has; 1 where it has none.
 */
export type LinkProgress = (step: LinkStep, done: number, total: number) => void;

/** Parts between two reports of a step that has many. */
export const REPORT_EACH = 64;

/** The part of a whole link that is done, from 0 to 1. */
export function linkedPart(step: LinkStep, done: number, total: number): number {
  let before = 0, whole = 0;
  let isBefore = true;
  for (const [name, share] of Object.entries(LINK_STEPS)) {
    if (name === step) isBefore = false;
    if (isBefore) before += share;
    whole += share;
  }
  return (before + LINK_STEPS[step] * done / total) / whole;
}
