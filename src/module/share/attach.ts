/**
 * Sharing a module between isolates: this file leads from a token to an image
 * that the attaching isolate can use.
 */

import { LoadError } from "../../errors/load_error.ts";
import { ImagePlan, isFixedLayout } from "../../image/plan.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { SmfFile } from "../../smf/file.ts";
import { KeptTypes } from "../../smf/kept_types.ts";
import { LAYOUTS } from "../../smf/layout.ts";
import { RelocationTable } from "../../smf/reloc.ts";
import { SymbolTable } from "../../smf/symbol.ts";
import { Attachment, type AttachmentEvents } from "./attachment.ts";
import type { CanonicalAddress, SharedModule } from "./token.ts";
import { MAX_ATTACHMENTS } from "./words.ts";

/** Collects the facts about an image that make it usable in another isolate. */
export function describeImage(
  image: LoadedImage,
  path: string,
  version: number,
  canonical: readonly CanonicalAddress[],
): SharedModule {
  const { file, memory, pageSize, plan, imports, homeAddresses } = image;
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
    homes: homeAddresses && { all: image.homes!, addresses: homeAddresses },
    types: image.types?.facts,
    canonical,
  };
}

/** An image whose memory another isolate owns. */
export interface AttachedImage {
  /** Disposing of it leaves the module. */
  readonly image: LoadedImage;
  readonly attachment: Attachment;
}

/**
 * Attaches this isolate to a control block that another isolate owns.
 *
 * @param description The subject of error messages: `module '/a/b.smf'`.
 * @throws {LoadError} `Closed` if the owner has revoked it, `Busy` if too many isolates are attached.
 */
export function attachControl(
  control: SharedArrayBuffer,
  description: string,
  events: AttachmentEvents,
): Attachment {
  const attachment = Attachment.attach(control, events);
  if (attachment === "revoked") {
    throw new LoadError("Closed", `Cannot attach ${description}: it is closed in the isolate that owns it`, {
      hint: "load the module again in the isolate that owns it, and post a new token",
    });
  }
  if (attachment === "full") {
    throw new LoadError("Busy", `Cannot attach ${description}: ${MAX_ATTACHMENTS} isolates are attached`, {
      hint: "close the module in a Worker that no longer needs it, or terminate that Worker",
    });
  }
  return attachment;
}

/**
 * Attaches this isolate to a module that another isolate owns.
 *
 * @throws {LoadError} `Closed` if the owner has closed it, `Busy` if too many isolates are attached.
 */
export function attachImage(
  module: SharedModule,
  control: SharedArrayBuffer,
  events: AttachmentEvents,
): AttachedImage {
  using undo = new DisposableStack();
  const description = `module '${module.path}'`;
  const attachment = undo.adopt(
    attachControl(control, description, events),
    (attachment) => attachment.leave(),
  );
  const { header, sections } = module;
  const file = new SmfFile({
    header,
    sections,
    symbols: new SymbolTable({ ...module.symbols, layout: LAYOUTS[header.layout] }),
    // Relocations are applied already; nothing reads them again.
    relocations: new RelocationTable([], new Uint8Array(), 0),
    size: 0,
    checksum: undefined,
  });
  const plan = new ImagePlan(sections, module.pageSize, module.slots, isFixedLayout(header));
  const attached = undo.move();
  return {
    attachment,
    image: {
      file,
      plan,
      memory: { address: module.address, size: module.size },
      pageSize: module.pageSize,
      identity: { description },
      imports: module.imports,
      homes: module.homes?.all,
      homeAddresses: module.homes?.addresses,
      types: module.types && new KeptTypes(module.types),
      whyNotShareable: () => undefined,
      [Symbol.dispose]: () => attached.dispose(),
    },
  };
}
