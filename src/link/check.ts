/**
 * Looks over what was reached before anything is placed.
 */
import { LoadError } from "../errors.ts";
import { SectionFlag, SymbolKind } from "./elf_constants.ts";
import type { Marker, NeededName } from "./gc.ts";
import { State } from "./globals.ts";
import type { InputSection } from "./input.ts";
import { unsupported } from "./input_bytes.ts";
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
export function checkReached(
  resolution: Resolution,
  problems: Problems,
): { sections: InputSection[]; mergeable: InputSection[] } {
  const sections: InputSection[] = [];
  const mergeable: InputSection[] = [];
  for (const object of resolution.objects) {
    for (const section of object.sections) {
      if (section === undefined) continue;
      if (section.live) sections.push(section);
      else if (section.merge?.live.includes(1)) mergeable.push(section);
      else continue;
      if ((section.elf.flags & SectionFlag.TLS) !== 0) {
        problems.add(
          unsupported(
            object.name,
            "thread-local variables cannot be linked yet: make the variable an ordinary one",
            {
              section: section.name,
              symbol: symbolIn(section),
            },
          ),
        );
      }
    }
  }
  return { sections, mergeable };
}

/** Some symbol of a section, for an error. */
function symbolIn({ object, elf: { index } }: InputSection): string | undefined {
  const { symbols } = object.elf;
  for (let i = 1; i < symbols.length; i++) {
    const here = symbols.inSection(i) && symbols.section(i) === index;
    if (here && symbols.kind(i) !== SymbolKind.SECTION) return symbols.name(i);
  }
  return undefined;
}
