/**
 * Which parts of memory get large pages: pure arithmetic.
 *
 * A large page costs one fault, whose work is to zero all of it. So it pays where
 * most of it will be filled, and a stretch of memory gets one for each large page
 * of which it fills at least half:
 *
 * ```text
 * large page |               |               |               |
 * memory     [ filled ................... zeros ]   room     [guard
 * gets       |    large      |     large     |  small pages as they are touched
 * ```
 */

/** The bytes that at least half of the last large page of memory takes; the memory's own size if it takes less. */
export function roomForLarge(size: number, largePage: number | undefined): number {
  if (largePage === undefined) return size;
  const rest = size % largePage;
  return rest >= largePage / 2 ? size - rest + largePage : size;
}

/** The alignment of memory for which there can be large pages; 1 for smaller memory. */
export function largeAlignment(size: number, largePage: number | undefined): number {
  return largePage !== undefined && size >= largePage / 2 ? largePage : 1;
}

/**
 * The whole large pages to ask for when the bytes from `first` up to `end` are about to be filled; undefined if
 * there are none. Offsets count from the start of memory with {@linkcode largeAlignment}.
 *
 * @param room The end of what large pages may take, which may be behind the memory.
 */
export function largeStretch(
  first: number,
  end: number,
  room: number,
  largePage: number | undefined,
): { readonly start: number; readonly end: number } | undefined {
  if (largePage === undefined || end - first < largePage / 2) return undefined;
  const start = Math.ceil((first - largePage / 2) / largePage) * largePage;
  const last = Math.floor((Math.min(end, room) + largePage / 2) / largePage) * largePage;
  const stop = Math.min(last, room - room % largePage);
  return start < stop ? { start, end: stop } : undefined;
}
