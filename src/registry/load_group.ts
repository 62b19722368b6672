/**
 * Loading several modules that may import from each other, in a circle if need
 * be: new ones, or new versions of those that are loaded.
 */

import { inFile } from "../errors.ts";
import type { ImportScope } from "./import_scope.ts";
import { resolveImports } from "../load/imports/resolve.ts";
import { linkImage, type LoadContext, type PlacedImage, placeSteps } from "../load/loader.ts";
import { readFile } from "../load/file/source.ts";
import type { Exporter } from "./reload/stable_exports.ts";
import { ModuleVersion } from "../module/version.ts";

/** One of them. */
export interface Member {
  readonly key: string;
  readonly file: string;
  /** The version's. */
  readonly number: number;
  /** What the others import from it. */
  offer(version: ModuleVersion): Exporter;
}

/**
 * Places all, then links all, then starts all; whatever fails ends all.
 *
 * @returns the versions, in the order of the members.
 */
export function loadGroup(
  members: readonly Member[],
  scope: ImportScope,
  contextOf: (key: string, file: string) => LoadContext,
): ModuleVersion[] {
  const images: PlacedImage[] = [];
  const versions: ModuleVersion[] = [];
  const beside: { key: string; exports: Exporter }[] = [];
  try {
    for (const { key, file, number, offer } of members) {
      const image = readFile(file, placeSteps(contextOf(key, file)));
      images.push(image);
      const version = ModuleVersion.create(image, file, number);
      versions.push(version);
      beside.push({ key, exports: offer(version) });
    }
    members.forEach(({ key, file }, index) =>
      inFile(file, () => {
        const image = images[index];
        const sources = scope.sourcesFor(key, beside);
        linkImage(image, resolveImports(image.file, image.needs.imports, sources, image.identity));
        versions[index].registerFrames();
      })
    );
    members.forEach(({ file }, index) => inFile(file, () => versions[index].start()));
    return versions;
  } catch (error) {
    for (const version of versions) version.lifetime.revokeQuietly();
    throw error;
  }
}
