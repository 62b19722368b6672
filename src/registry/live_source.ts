/**
 * Live bindings in the isolate that owns the module.
 */

import type { Catalog, Entry } from "./catalog.ts";
import { LoadError } from "../errors/load_error.ts";
import type { Wanted } from "../call/typed_definitions.ts";
import type { Loading } from "./loading.ts";
import { type LiveLibrary, openLive } from "../module/live.ts";
import type { OpenOptions } from "./options.ts";
import type { LiveSource } from "../module/live_bindings.ts";
import { sealLiveToken } from "../module/share/token.ts";
import { findVariable } from "../module/views.ts";

/** Opens a live library on a loaded module. */
export function openLibrary(
  entry: Entry,
  loading: Loading,
  wanted: Wanted,
  { types = "check", callPath = loading.callPath, integers, onCrash = loading.onCrash, ...options }:
    OpenOptions,
): LiveLibrary {
  loading.admit(entry, options);
  return openLive(liveSource(entry, loading.catalog), wanted, { callPath, types, integers, onCrash });
}

/** Gives a live library the trampolines of a loaded module, and keeps the module for it. */
export function liveSource({ exports }: Entry, catalog: Catalog): LiveSource {
  const { path, image: { identity: { trace } } } = exports.version;
  exports.addLibrary();
  const claims = new DisposableStack();
  return {
    path,
    ...trace && { trace },
    get tablePointer() {
      return exports.tablePointer;
    },
    tellsOfReloads: true,
    quarantinePointer: () => exports.quarantinePointer(),
    variable(name) {
      const { version } = exports;
      return { ...findVariable(version, name), buffers: version.views.buffers };
    },
    find(name) {
      const slot = exports.slot(name);
      return slot && { kind: slot.kind, size: exports.symbolSize(name), typedAt: exports.typedAt(name) };
    },
    exportNames: () => exports.names(),
    types: () => exports.version.image.types?.read(path),
    slot(name, size) {
      const slot = exports.slot(name);
      if (slot === undefined) return undefined;
      exports.reserve(slot, size);
      claims.use(slot.claims.add(slot.declared));
      const { index, kind } = slot;
      return { name, index, kind, address: exports.trampoline(slot), size };
    },
    begin: () => exports.users.calls.begin(),
    opened(lifetime, _calls, endViews) {
      catalog.addLifetime(lifetime);
      exports.users.libraries.add(lifetime);
      exports.users.viewers.add(endViews);
    },
    revoked(lifetime, endViews) {
      exports.users.libraries.delete(lifetime);
      exports.users.viewers.delete(endViews);
    },
    release() {
      claims.dispose();
      exports.dropLibrary();
    },
    share(slots) {
      const { image } = exports.version;
      exports.version.lifetime.requireOpen();
      const reason = image.whyNotShareable();
      if (reason !== undefined) {
        throw new LoadError("Unsupported", `Cannot share live functions: ${reason}`, {
          path,
          hint: "share a version that needs nothing of this isolate, or load the module in each Worker",
        });
      }
      const { tablePointer, users } = exports;
      const shared = exports.shareSlots(slots.map(({ name }) => name));
      return sealLiveToken({ path, tablePointer, ...shared }, users.control.buffer);
    },
  };
}
