/**
 * The files that a program is made of, as Deno finds them.
 */
import { fromFileUrl, resolve, toFileUrl } from "../../os/path.ts";
import { runCommand } from "../../build/run_command.ts";
import { denoCommand } from "./program.ts";
import { type CcCalls, findCcCalls } from "./sources/cc_calls.ts";

/** The options of `deno run` that decide which files a program is made of, and that `deno info` has, too. */
const GRAPH_OPTIONS = new Set(
  ("--config -c --no-config --import-map --no-remote --no-npm --node-modules-dir --vendor --lock --no-lock " +
    "--frozen-lockfile --frozen --cert --allow-import --deny-import --unsafely-ignore-certificate-errors")
    .split(" "),
);

/**
 * The package's own modules, which call no `cc`. The path leads over the package's root, which is as far from this file
 * as from the published bundle that has its code.
 */
const OWN = ["src/", "built/", "mod.ts"].map((path) => new URL(`../../../${path}`, import.meta.url).href);

/** The module with `cc`, of this copy of the package or of another version. */
const BUILD_MODULE = /^(?:jsr:|npm:)?\/?@simple\/loader(?:@[^/]*)?\/build$/;
const BUILD_ADDRESS = /\/(?:src\/build\/mod\.ts|built\/src\/build\/mod\.js)$/;

/** The calls of `cc` in one file. */
export interface FileCalls extends CcCalls {
  /** The file's path, and its address. */
  readonly path: string;
  readonly url: string;
}

/** A program's own files. */
export interface ProgramFiles {
  /** The paths of all of them. */
  readonly paths: readonly string[];
  /** The calls in those that have some. */
  readonly calls: readonly FileCalls[];
  /** The text in which Deno says why it cannot tell; then nothing is known. */
  readonly problem?: string;
}

interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly code?: { readonly specifier?: string };
  }[];
}

/** Whether a program is named by its address; the letter of a drive is no scheme. */
export function isUrl(program: string): boolean {
  return /^[a-z]{2,}:/i.test(program);
}

/**
 * Finds a program's own files and the calls in them.
 *
 * @param flags The options of `deno run`.
 * @throws {LoadError} `PermissionDenied` if Deno may not be run.
 */
export async function readProgramFiles(program: string, flags: readonly string[]): Promise<ProgramFiles> {
  const options = flags.filter((flag) => GRAPH_OPTIONS.has(flag.replace(/=.*/s, "")));
  // Of a path with the letter of a drive `deno info` takes the letter for the scheme of an address.
  const address = isUrl(program) ? program : toFileUrl(resolve(program)).href;
  const result = await runCommand([denoCommand(), "info", "--json", ...options, address]);
  if (result === undefined || result.code !== 0) {
    return { paths: [], calls: [], problem: result?.output ?? "" };
  }
  const { modules } = JSON.parse(result.stdout) as { readonly modules: readonly GraphModule[] };
  const own = modules.filter(({ specifier }) =>
    specifier.startsWith("file:") && !specifier.includes("/node_modules/") &&
    !OWN.some((start) => specifier.startsWith(start))
  );
  return {
    paths: own.map(({ specifier }) => fromFileUrl(specifier)),
    calls: own.flatMap((module) => callsIn(module)),
  };
}

function callsIn({ specifier: url, dependencies = [] }: GraphModule): FileCalls[] {
  const builds = new Set(
    dependencies
      .filter(({ specifier, code }) =>
        BUILD_MODULE.test(specifier) || BUILD_ADDRESS.test(code?.specifier ?? specifier)
      )
      .map(({ specifier }) => specifier),
  );
  if (builds.size === 0) return [];
  const path = fromFileUrl(url);
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    // Another program may be about to write it; Deno says the same when it runs.
    return [];
  }
  const { calls, computed } = findCcCalls(url, text, (specifier) => builds.has(specifier));
  return calls.length + computed.length === 0 ? [] : [{ path, url, calls, computed }];
}
