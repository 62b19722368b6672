/**
 * Names that no input defines: which of them become imports, which may stay undefined, and which may not.
 */
import { LoadError } from "../errors/load_error.ts";
import { listNames } from "../errors/names.ts";
import { isLoaderName } from "../os/loader_names.ts";
import { stepForMissing } from "../os/missing_names.ts";
import { Platform } from "../smf/enums.ts";
import { NameMatcher } from "../smf/glob.ts";
import { THREAD_LOCAL } from "./crt_object.ts";
import type { Marker, NeededName } from "./gc.ts";
import { State } from "./globals.ts";
import { type Problems, unsupported } from "./problems.ts";
import type { Resolution } from "./resolve.ts";

/** The options about undefined names. */
export interface UndefinedOptions {
  readonly noUndefined?: boolean;
  readonly provided?: ReadonlySet<string>;
  readonly allowUndefined?: readonly string[];
  readonly platform?: number;
}

/** Returns the needed names that become imports; reports undefined ones that are hidden. */
export function importsOf(
  { globals }: Resolution,
  marker: Marker,
  problems: Problems,
): Map<number, NeededName> {
  const imports = new Map<number, NeededName>();
  for (const [id, needed] of marker.needed) {
    if (!globals.isHidden(id)) {
      imports.set(id, needed);
    } else if (globals.state(id) !== State.WEAK_UNDEFINED) {
      const symbol = globals.names.text(id);
      problems.add(
        new LoadError("UndefinedSymbol", `Cannot link module: undefined symbol '${symbol}' is hidden`, {
          path: [...needed.neededBy][0],
          symbol,
          hint: "link the object that defines it too, or declare it with default visibility to import it",
        }),
      );
    }
  }
  return imports;
}

/**
 * Makes imports weak that may stay undefined, and marks those that code calls without a test for 0; reports those that
 * the options refuse.
 */
export function chooseOptional(
  { globals }: Resolution,
  imports: ReadonlyMap<number, NeededName>,
  { noUndefined = false, provided, allowUndefined = [], platform = Platform.Linux }: UndefinedOptions,
  problems: Problems,
): void {
  const allowed = new NameMatcher(allowUndefined);
  const missing: string[] = [];
  for (const [id, needed] of imports) {
    if (platform === Platform.MacOS && globals.names.text(id) === THREAD_LOCAL) {
      problems.add(
        unsupported([...needed.neededBy][0], "thread-local variables of macOS belong to libraries only", {
          symbol: THREAD_LOCAL,
          hint:
            "keep them in a dynamic library, and import functions that use them; or link for another system",
        }),
      );
      continue;
    }
    const isWeak = globals.state(id) === State.WEAK_UNDEFINED;
    needed.endsProcess = !isWeak && allowed.matches(globals.names.text(id));
    needed.weak = isWeak || needed.endsProcess;
    if (!noUndefined || needed.weak) continue;
    const name = globals.names.text(id);
    const isLoaders = isLoaderName(name, platform === Platform.Linux);
    if (provided?.has(name) !== true && !isLoaders) missing.push(name);
  }
  if (missing.length === 0) return;
  const listed = missing.map((name) => `'${name}'`).join(", ");
  problems.add(
    new LoadError(
      "UndefinedSymbol",
      `Cannot link module: undefined ${missing.length === 1 ? "symbol" : "symbols"} ${listed}`,
      { symbols: missing, hint: stepForMissing(missing) },
    ),
  );
}

/** Reports names that have to be defined and are not. */
export function checkDefined({ globals }: Resolution, required: readonly string[], problems: Problems): void {
  const missing = required.filter((name) => !globals.isDefined(globals.names.find(name)));
  if (missing.length === 0) return;
  problems.add(
    new LoadError("UndefinedSymbol", `Cannot link module: no input defines ${listNames(missing)}`, {
      symbols: missing,
      hint: "add the object that defines the name, or leave --require-defined (`requireDefined`) out",
    }),
  );
}
