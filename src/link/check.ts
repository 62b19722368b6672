/**
 * Looks over what was reached before anything is placed.
 */
import { LoadError } from "../errors.ts";
import type { Marker, NeededName } from "./gc.ts";
import { State } from "./globals.ts";
import type { InputSection } from "./input.ts";
import type { Problems } from "./problems.ts";
import type { Resolution } from "./resolve.ts";

/** The names that others must define. */
export function importsOf(
  resolution: Resolution,
  marker: Marker,
  problems: Problems,
): Map<number, NeededName> {
  const { globals } = resolution;
  const imports = new Map<number, NeededName>();
  for (const [id, needed] of marker.needed) {
    if (!globals.isHidden(id)) {
      imports.set(id, needed);
    } else if (globals.state(id) !== State.WEAK_UNDEFINED) {
      const symbol = globals.names.text(id);
      problems.add(
        new LoadError(
          "UndefinedSymbol",
          `Cannot link: '${symbol}' is hidden, so it must be defined in this link`,
          {
            path: [...needed.neededBy][0],
            symbol,
          },
        ),
      );
    }
  }
  return imports;
}

/** The sections that were reached, in link order: whole ones, and those of which pieces were. */
export function reachedSections(
  resolution: Resolution,
): { sections: InputSection[]; mergeable: InputSection[] } {
  const sections: InputSection[] = [];
  const mergeable: InputSection[] = [];
  for (const object of resolution.objects) {
    for (const section of object.sections) {
      if (section === undefined) continue;
      if (section.live) sections.push(section);
      else if (section.merge?.live.includes(1)) mergeable.push(section);
    }
  }
  return { sections, mergeable };
}
