/**
 * Collects what garbage collection has reached.
 */
import type { InputSection } from "./input.ts";
import type { Resolution } from "./resolve.ts";

/** Returns the sections that were reached, in link order: whole ones, and those of which pieces were. */
export function reachedSections(
  { objects }: Resolution,
): { sections: InputSection[]; mergeable: InputSection[] } {
  const sections: InputSection[] = [];
  const mergeable: InputSection[] = [];
  for (const object of objects) {
    for (const section of object.sections) {
      if (section === undefined) continue;
      if (section.live) sections.push(section);
      else if (section.merge?.live.includes(1)) mergeable.push(section);
    }
  }
  return { sections, mergeable };
}
