/**
 * Loading several modules that may import from each other, in a circle if need
 * be: new modules, or new versions of modules that are loaded.
 */

import { inFile } from "../errors/load_error.ts";
import type { ImportScope } from "./import_scope.ts";
import {
  linkImage,
  type LoadContext,
  type PlacedImage,
  placeSteps,
  relocateImage,
  resolveModule,
  sealImage,
} from "../load/loader.ts";
import { readFile } from "../load/file/source.ts";
import { StartOrder } from "./start_order.ts";
import type { Exporter } from "./reload/exports.ts";
import { ModuleVersion } from "../module/version.ts";

/** A module that is loaded together with others. */
export interface Member {
  readonly key: string;
  readonly file: string;
  /** The number of the version to make. */
  readonly number: number;
  /** Gives the exports that the other members import from the new version. */
  expose(version: ModuleVersion): Exporter;
  /** An address that the image should lie near. */
  readonly near?: bigint | undefined;
  /** Called when all members are linked and none has started. */
  sealed?(image: PlacedImage, version: ModuleVersion): void;
}

/**
 * Places all members, then links and checks all, then runs the ifunc resolvers of
 * all, then starts all: those that others import from first. If anything fails, all
 * of them end.
 *
 * @returns the versions, in the order of the members.
 */
export function loadGroup(
  members: readonly Member[],
  scope: ImportScope,
  contextOf: (key: string, file: string, number: number) => LoadContext,
): ModuleVersion[] {
  const contexts = members.map(({ key, file, number }) => contextOf(key, file, number));
  const images: PlacedImage[] = [];
  const versions: ModuleVersion[] = [];
  const group: { key: string; exports: Exporter }[] = [];
  using undo = new DisposableStack();
  undo.defer(() => {
    for (const version of versions) version.lifetime.revokeQuietly();
  });
  members.forEach(({ key, file, number, near, expose }, index) => {
    const image = readFile(file, placeSteps({ ...contexts[index], near }));
    images.push(image);
    const version = ModuleVersion.create(image, file, number);
    versions.push(version);
    group.push({ key, exports: expose(version) });
  });
  const order = new StartOrder();
  members.forEach(({ key, file }, index) =>
    inFile(file, () => {
      const image = images[index];
      const last = scope.librariesOf(image.libraries);
      const sources = [
        ...scope.sourcesFor(key, order.watch(index, group)),
        ...(last === undefined ? [] : [last]),
      ];
      relocateImage(image, resolveModule(image, sources), contexts[index]);
    })
  );
  members.forEach(({ file }, index) => inFile(file, () => linkImage(images[index], contexts[index])));
  // All are checked by now. From here on their code runs.
  const positions = order.positions();
  for (const index of positions) inFile(members[index].file, () => sealImage(images[index]));
  members.forEach(({ file, sealed }, index) => inFile(file, () => sealed?.(images[index], versions[index])));
  for (const index of positions) inFile(members[index].file, () => versions[index].start());
  undo.move();
  return versions;
}
