/** What to read, and as what; option names are checked by `parseArgs`. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
> {
  /** Put everything after `--` into the result's `--`. */
  "--"?: boolean;
  alias?: { readonly [name: string]: string | readonly string[] };
  boolean?: boolean | B | readonly B[];
  default?: { readonly [name: string]: unknown };
  stopEarly?: boolean;
  string?: S | readonly S[];
  collect?: C | readonly C[];
  negatable?: string | readonly string[];
  /** Called for options that are not declared; `false` drops them. */
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Options by name, and in `_` the arguments that are none. */
export type Args<B extends string, S extends string, C extends string> =
  & { [name in B]: boolean }
  & { [name in Exclude<S, C>]: string | undefined }
  & { [name in C]: string[] }
  & { _: (string | number)[]; "--"?: string[]; [name: string]: unknown };

/** Reads command line arguments. */
export declare function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
>(args: string[], options?: ParseOptions<B, S, C>): Args<B, S, C>;
