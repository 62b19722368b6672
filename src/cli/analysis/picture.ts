/**
 * The facts that a picture of a module shows: what takes its room, and what the loader has to do for it.
 */
import type { ImportAnswer } from "./import_answers.ts";
import type { ImageRegion, InspectionData } from "./inspect.ts";

/** A function or variable by its size. */
export interface Block {
  /** Its name; of several that are too small to show, how many they are. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
}

/** Everything that a picture shows. */
export interface Picture {
  readonly header: InspectionData["header"];
  /** The planned image; undefined if the file cannot be placed in memory. */
  readonly image: InspectionData["image"];
  /** The functions and variables, by the protection of their region, the largest first. */
  readonly blocks: ReadonlyMap<ImageRegion["protection"], readonly Block[]>;
  /** The number of relocations of each kind, most first. */
  readonly relocations: readonly (readonly [kind: string, count: number])[];
  readonly imports: readonly ImportAnswer[];
}

/** The most blocks of one region: a browser shows them at once, and smaller ones could not be read. */
export const MOST_BLOCKS = 1000;

/** Collects the facts of a picture. */
export function pictureOf(
  { header, image, sections, symbols, relocations }: InspectionData,
  imports: readonly ImportAnswer[],
): Picture {
  const protections = new Map<string, ImageRegion["protection"]>();
  for (const { protection, parts } of image?.regions ?? []) {
    for (const { name } of parts) protections.set(name, protection);
  }
  const known = new Set(sections.map(({ name }) => name));
  const sized = new Map<ImageRegion["protection"], Map<number, Block>>();
  for (const { name, section, value, size, defined } of symbols) {
    if (!defined || size === 0 || section === undefined || !known.has(section)) continue;
    const protection = protections.get(section);
    if (protection === undefined) continue;
    let blocks = sized.get(protection);
    if (blocks === undefined) sized.set(protection, blocks = new Map());
    // Several names of one place are one block.
    const other = blocks.get(value);
    if (other === undefined || other.size < size) blocks.set(value, { name, size });
  }
  const counts = new Map<string, number>();
  for (const { type } of relocations) counts.set(type, (counts.get(type) ?? 0) + 1);
  return {
    header,
    image,
    blocks: new Map([...sized].map(([protection, blocks]) => [protection, largest([...blocks.values()])])),
    relocations: [...counts].sort(([, a], [, b]) => b - a),
    imports,
  };
}

/** The largest blocks first, and one for all that are beyond the limit. */
function largest(blocks: Block[]): Block[] {
  blocks.sort((a, b) => b.size - a.size);
  if (blocks.length <= MOST_BLOCKS) return blocks;
  const rest = blocks.splice(MOST_BLOCKS - 1);
  const size = rest.reduce((sum, block) => sum + block.size, 0);
  return [...blocks, { name: `${rest.length} smaller ones`, size }].sort((a, b) => b.size - a.size);
}
