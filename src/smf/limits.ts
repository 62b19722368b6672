/**
 * What a file may ask for at most. The format names no limits; without them a
 * few bytes could ask for any amount of memory or time.
 */

/** Bytes of a module's image, all sections and the gaps between them. */
export const MAX_IMAGE_SIZE: number = 2 ** 30;
/** Sections of a file. */
export const MAX_SECTIONS = 65_536;
/** Alignment of a section. */
export const MAX_ALIGNMENT: number = 2 ** 24;
/** Bytes of a symbol's name, the NUL not counted. */
export const MAX_NAME_LENGTH: number = 2 ** 20;
