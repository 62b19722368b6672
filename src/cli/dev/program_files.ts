/**
 * The files that a program is made of, as Deno finds them.
 */
import { fromFileUrl, resolve, toFileUrl } from "../../os/path.ts";
import { runCommand } from "../../build/run_command.ts";
import { denoCommand } from "./program.ts";
import { type Token, tokensOf } from "../../types/typescript/tokens.ts";
import { type CcCalls, findCcCalls } from "./sources/cc_calls.ts";
import {
  BUILD_EXPORTS,
  exportedNames,
  type ExportsOf,
  type ImportedNames,
} from "./sources/imported_names.ts";

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

interface Dependency {
  readonly specifier: string;
  readonly code?: { readonly specifier?: string };
}

interface GraphModule {
  readonly specifier: string;
  readonly dependencies?: readonly Dependency[];
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
    calls: callsIn(own),
  };
}

/** A module of the program, with the tokens of its text, and what its specifiers lead to. */
interface ReadModule {
  readonly url: string;
  readonly tokens: readonly Token[];
  readonly targets: ReadonlyMap<string, string>;
  readonly builds: ReadonlySet<string>;
}

/** The calls in a program's own modules, which may import `cc` through one another. */
function callsIn(own: readonly GraphModule[]): FileCalls[] {
  const left = new Set(own), read: ReadModule[] = [];
  const exported = new Map<string, ImportedNames>();
  // A module is read once one that it imports has `cc` to give; its exports may make others so.
  for (let isNew = true; isNew;) {
    isNew = false;
    for (const module of left) {
      const { dependencies = [] } = module;
      const gives = dependencies.some((each) => leadsToBuild(each) || exported.has(targetOf(each)));
      if (!gives) continue;
      left.delete(module);
      const found = readModule(module);
      if (found !== undefined) read.push(found);
    }
    for (const module of read) {
      const { cc, namespaces } = exportedNames(module.tokens, exportsFor(module, exported));
      const before = exported.get(module.url);
      if (cc.size + namespaces.size === (before?.cc.size ?? 0) + (before?.namespaces.size ?? 0)) continue;
      exported.set(module.url, { cc, namespaces });
      isNew = true;
    }
  }
  return read.flatMap((module) => {
    const { calls, computed } = findCcCalls(module.url, module.tokens, exportsFor(module, exported));
    const { url } = module;
    return calls.length + computed.length === 0 ? [] : [{ path: fromFileUrl(url), url, calls, computed }];
  });
}

function exportsFor(
  { targets, builds }: ReadModule,
  exported: ReadonlyMap<string, ImportedNames>,
): ExportsOf {
  return (specifier) =>
    builds.has(specifier) ? BUILD_EXPORTS : exported.get(targets.get(specifier) ?? specifier);
}

function leadsToBuild({ specifier, code }: Dependency): boolean {
  return BUILD_MODULE.test(specifier) || BUILD_ADDRESS.test(code?.specifier ?? specifier);
}

function targetOf({ specifier, code }: Dependency): string {
  return code?.specifier ?? specifier;
}

function readModule({ specifier: url, dependencies = [] }: GraphModule): ReadModule | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(fromFileUrl(url));
  } catch {
    // Another program may be about to write it; Deno says the same when it runs.
    return undefined;
  }
  return {
    url,
    tokens: tokensOf(text, { jsx: /x$/.test(new URL(url).pathname) }),
    targets: new Map(dependencies.map((each) => [each.specifier, targetOf(each)])),
    builds: new Set(dependencies.filter(leadsToBuild).map(({ specifier }) => specifier)),
  };
}
