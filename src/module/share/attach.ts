/**
 * The far side of sharing: from a token to an image that this isolate can use.
 */

import { LoadError } from "../../errors.ts";
import { ImagePlan, isFixedLayout } from "../../image/plan.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { SmfFile } from "../../smf/file.ts";
import { LAYOUTS } from "../../smf/layout.ts";
import { RelocationTable } from "../../smf/reloc.ts";
import { SymbolTable } from "../../smf/symbol.ts";
import { Attachment, type AttachmentEvents } from "./attachment.ts";
import type { SharedModule } from "./token.ts";
import { MAX_ATTACHMENTS } from "./words.ts";

/** The facts about an image that make it usable elsewhere. */
export function describeImage(image: LoadedImage, path: string, version: number): SharedModule {
  const { file, memory, pageSize, plan, imports } = image;
  const { bytes, count, exportedCount, fileOffset, marked } = file.symbols.source;
  return {
    path,
    version,
    address: memory.address,
    size: memory.size,
    pageSize,
    slots: plan.slots,
    header: file.header,
    sections: file.sections,
    symbols: { bytes, count, exportedCount, fileOffset, marked },
    imports,
  };
}

/** An image whose memory another isolate owns. */
export interface AttachedImage {
  /** Its `dispose` leaves the module. */
  readonly image: LoadedImage;
  readonly attachment: Attachment;
}

/**
 * Attaches this isolate to what another one owns.
 *
 * @param description For people.
 * @throws {LoadError} `Closed` if it has ended already, `Busy` if too many isolates are attached.
 */
export function attachControl(
  control: SharedArrayBuffer,
  description: string,
  events: AttachmentEvents,
): Attachment {
  const attachment = Attachment.attach(control, events);
  if (attachment === "revoked") {
    throw new LoadError("Closed", `Cannot attach ${description}: its owner has closed it`);
  }
  if (attachment === "full") {
    throw new LoadError("Busy", `Cannot attach ${description}: ${MAX_ATTACHMENTS} isolates are attached`);
  }
  return attachment;
}

/**
 * Attaches this isolate to a module that another one owns.
 *
 * @throws {LoadError} `Closed` if it has ended already, `Busy` if too many isolates are attached.
 */
export function attachImage(
  module: SharedModule,
  control: SharedArrayBuffer,
  events: AttachmentEvents,
): AttachedImage {
  const attachment = attachControl(control, `module '${module.path}'`, events);
  const { header, sections } = module;
  const file = new SmfFile({
    header,
    sections,
    symbols: new SymbolTable({ ...module.symbols, layout: LAYOUTS[header.layout] }),
    // Relocations are applied; nobody looks at them again.
    relocations: new RelocationTable([], new Uint8Array(), 0),
    size: 0,
    checksum: undefined,
  });
  return {
    attachment,
    image: {
      file,
      plan: new ImagePlan(sections, module.pageSize, module.slots, isFixedLayout(header)),
      memory: { address: module.address, size: module.size },
      pageSize: module.pageSize,
      identity: { description: `module '${module.path}'` },
      imports: module.imports,
      whyNotShareable: () => undefined,
      [Symbol.dispose]: () => attachment.leave(),
    },
  };
}
