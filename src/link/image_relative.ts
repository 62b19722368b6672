/**
 * Variables to which distances from the start of the image lead, such as the descriptions of types that exceptions of
 * Microsoft's C++ are caught by. A distance reaches no further than its own image, so a reload leaves them there.
 *
 * The pass runs before garbage collection, which makes GOT slots for variables that a reload can move.
 */
import { RecordSize } from "../os/elf.ts";
import { Platform } from "../smf/enums.ts";
import type { LinkArch } from "./arch/arch.ts";
import type { Resolution } from "./resolve.ts";

/** Marks the sections that distances from the start of the image lead to; only code for Windows has such distances. */
export function markImageRelative({ objects, globals }: Resolution, arch: LinkArch): void {
  for (const object of objects) {
    const { platform, file: { view } } = object.elf;
    if (platform !== Platform.Windows) continue;
    for (const section of object.sections) {
      if (section === undefined) continue;
      const { relaOffset, relaCount } = section.elf;
      for (let at = relaOffset, left = relaCount; left > 0; at += RecordSize.RELA, left--) {
        if (arch.rules.get(view.getUint32(at + 8, true))?.use !== "image") continue;
        const symbol = view.getUint32(at + 12, true), id = object.globalOf(symbol);
        const target = id === -1
          ? object.sectionOf(symbol)
          : objects[globals.object(id)]?.sectionOf(globals.symbol(id));
        if (target !== undefined) target.isImageRelative = true;
      }
    }
  }
}
