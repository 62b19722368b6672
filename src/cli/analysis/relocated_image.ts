/**
 * The image of a module as a loader would make it, without memory of its own: every relocation is applied, as if
 * the image and its imports lay at made-up addresses.
 */
import { attempt, ignore, type Report } from "../../errors/load_error.ts";
import type { ImagePlan } from "../../image/plan.ts";
import { relocate } from "../../image/relocation/relocate.ts";
import type { RelocationNeeds } from "../../image/relocation/scan.ts";
import type { ParsedSmf } from "../../smf/file.ts";

/** The assumed address of the image: as high as those of loaded modules, with all imports right behind the image. */
const BASE = 0x7000_0000_0000n;
/** The assumed address of an image whose own addresses must fit into 32 bits. */
const LOW_BASE = 0x10_0000n;

/**
 * Fills an image, and applies the relocations to it. Sections that cannot be read stay zero.
 *
 * @param report Called for each relocation that cannot be applied.
 */
export function relocatedImage(
  file: ParsedSmf,
  plan: ImagePlan,
  needs: RelocationNeeds,
  report: Report,
): Uint8Array {
  const image = new Uint8Array(plan.size);
  for (const { section, offset } of plan.sections) {
    const contents = attempt(ignore, () => file.contents(section));
    if (contents !== undefined) image.set(contents, offset);
  }
  const base = needs.isLow ? LOW_BASE : BASE;
  const imports = new BigUint64Array(needs.imports.length).fill(base + BigInt(plan.size));
  relocate(image, file, plan, needs, { base, imports }, report);
  return image;
}
