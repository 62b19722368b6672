/**
 * Upper limits on what a file may request. The format defines none; without them
 * a few bytes could request any amount of memory or time.
 */

/** Size of a module's image in bytes: all sections and the gaps between them. */
export const MAX_IMAGE_SIZE: number = 2 ** 30;
/** Bytes that all compressed sections together may decompress to for each of their bytes in the file. */
export const MAX_EXPANSION = 1024;
/** Bytes that they may decompress to besides: zeros compress better than {@linkcode MAX_EXPANSION}. */
export const FREE_EXPANSION: number = 2 ** 25;
/** Number of sections in a file. */
export const MAX_SECTIONS = 65_536;
/** Alignment of a section, in bytes. */
export const MAX_ALIGNMENT: number = 2 ** 24;
/** Length of a symbol's name in bytes, without the NUL. */
export const MAX_NAME_LENGTH: number = 2 ** 20;
/** Size of a section of types in bytes, decompressed. */
export const MAX_TYPES_SIZE: number = 2 ** 26;
