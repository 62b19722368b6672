/**
 * Names with a version, as `.symver` makes them: `memcpy@GLIBC_2.2.5` asks for
 * the `memcpy` of that version of the C library's interface.
 */

/** A name, and the version that is asked for; undefined if any will do. */
export interface VersionedName {
  readonly base: string;
  readonly version: string | undefined;
}

/**
 * Takes `name@VERSION` or `name@@VERSION` apart. Windows' C++ names contain `@`
 * too, but begin with `?` or end with a number.
 */
export function splitVersion(name: string): VersionedName {
  const at = name.indexOf("@");
  if (at <= 0) return { base: name, version: undefined };
  const version = name.slice(name.startsWith("@@", at) ? at + 2 : at + 1);
  return /^[A-Za-z_][\w.+-]*$/.test(version)
    ? { base: name.slice(0, at), version }
    : { base: name, version: undefined };
}
