/**
 * Whether a path can name another host, as `\\host\share` does, and so a `file:` URL too.
 *
 * Platforms: true on Windows only.
 */
export const PATHS_NAME_HOSTS: boolean = Deno.build.os === "windows";
