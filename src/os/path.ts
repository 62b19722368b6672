/** Whether a path can name another host, as Windows' `\\host\share` does, and so a `file:` URL too. */
export const PATHS_NAME_HOSTS: boolean = Deno.build.os === "windows";
