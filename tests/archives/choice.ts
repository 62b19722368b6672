/** Chooses N elements, in an order that the seed gives. */
export function chosen<T>(from: readonly T[], count: number, seed: number): T[] {
  const rest = [...from];
  let state = seed >>> 0;
  return Array.from({ length: Math.min(count, rest.length) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return rest.splice(Math.floor(state / 2 ** 32 * rest.length), 1)[0];
  });
}
