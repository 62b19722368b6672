/**
 * Upper limits on what a file may request. The format defines none; without them
 * a few bytes could request any amount of memory or time.
 */

/** Size of a module's image in bytes: all sections and the gaps between them. */
export const MAX_IMAGE_SIZE: number = 2 ** 30;
/** Number of sections in a file. */
export const MAX_SECTIONS = 65_536;
/** Alignment of a section, in bytes. */
export const MAX_ALIGNMENT: number = 2 ** 24;
/** Length of a symbol's name in bytes, without the NUL. */
export const MAX_NAME_LENGTH: number = 2 ** 20;
