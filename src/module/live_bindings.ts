/**
 * The bindings behind a live library: functions that jump through trampolines,
 * and statics that are read through the current version's table.
 */

import { bindListener } from "./bind_listener.ts";
import { Binder } from "../call/binder.ts";
import { CallResources } from "../call/resources.ts";
import { CallGate, type CallOwner } from "../call/gate.ts";
import type { CrashOptions } from "../call/guard.ts";
import { type CallCounter, CallsInFlight } from "../call/in_flight.ts";
import { checkStaticSize } from "../call/statics.ts";
import { type BindingOptions, bindWanted, type SymbolsBound } from "../call/symbols.ts";
import type { Wanted } from "../call/typed_definitions.ts";
import { movingStaticReader } from "../call/static_reader.ts";
import type { ViewBuffers } from "../call/view/buffers.ts";
import type { ViewDescription } from "../call/view/description.ts";
import { LoadError } from "../errors/load_error.ts";
import { didYouMean, nearestSymbol } from "../errors/names.ts";
import type { ExportKind } from "../image/compatibility.ts";
import type { ModuleTypes } from "../smf/types.ts";
import { CrashGuards } from "../load/runtime/crash_guard.ts";
import { enterThread } from "../load/runtime/crash_report.ts";
import { readAddresses, readStatic, staticSize } from "../os/native_memory.ts";
import { Lifetime } from "./lifetime.ts";
import type { Trace } from "../load/trace.ts";
import { LiveBuffers, type LiveOwner, LiveStatic, LiveView, type OwnedVariable } from "./live_variables.ts";
import type { LiveToken } from "./share/token.ts";
import { viewKey } from "./views.ts";

/** How live functions are bound. */
export interface LiveOptions extends Omit<BindingOptions, "guards">, CrashOptions {}

/** The kinds of exports, as errors name them. */
const KINDS = { function: "a function", data: "a variable", none: undefined } as const;

function notExported(source: LiveSource, name: string): LoadError {
  const near = didYouMean(nearestSymbol(name, source.exportNames()));
  return new LoadError("UndefinedSymbol", `Cannot view: the module does not export the name${near}`, {
    path: source.path,
    symbol: name,
    symbols: [name],
    hint: "export the variable, or view it in one version: handle.view(name)",
  });
}

/** A name that a live library uses, and its trampoline slot, which is the same in every isolate. */
export interface LiveSlot {
  readonly name: string;
  readonly index: number;
  readonly kind: ExportKind;
  /** The trampoline's address. */
  readonly address: bigint;
  /** Bytes of the largest static that the name is bound as; every version provides as many. */
  readonly size: number;
}

/** An export of a version. */
export interface LiveExport {
  readonly kind: ExportKind;
  /** Its size in bytes; 0 if that is not known. */
  readonly size: number;
  /** Its offset in the image, by which its type is found; undefined if it has none. */
  readonly typedAt: number | undefined;
}

/** The module that a live library binds: in the isolate that owns it, or through an attachment elsewhere. */
export interface LiveSource {
  /** The module's path, or the name that was given for bytes. */
  readonly path: string;
  /** Hears of functions that are bound. */
  readonly trace?: Trace;
  /** The address of the word that holds the address of the current version's table. */
  readonly tablePointer: bigint;
  /**
   * Prepares the current version for guards, and those that follow it.
   *
   * @returns the address of the word that leads to the current version's quarantine.
   * @throws {LoadError} `Unsupported` where a crash cannot become an exception.
   */
  quarantinePointer(): bigint;
  /** Whether `endViews` is called when another version takes over; elsewhere that can happen at any moment. */
  readonly tellsOfReloads: boolean;
  /**
   * Finds a variable of the current version.
   *
   * @throws {LoadError} `UndefinedSymbol`, `Incompatible`; `Unsupported` where the version can change at any moment.
   */
  variable(name: string): OwnedVariable;
  /** Finds an export of the current version; undefined if it does not export the name. */
  find(name: string): LiveExport | undefined;
  /** The names of all exports, in file order. */
  exportNames(): Iterable<string>;
  /**
   * The types that the current version keeps; undefined if it keeps none.
   *
   * @throws {LoadError} `InvalidFormat` if they are damaged.
   */
  types(): ModuleTypes | undefined;
  /**
   * Uses a name from now on, for a static of `size` bytes; undefined if the module does not export it.
   *
   * @throws {LoadError} `Incompatible` if so many bytes end outside the module.
   */
  slot(name: string, size: number): LiveSlot | undefined;
  /** Counts a nonblocking call, which may run in any version; the result ends the count. */
  begin(): () => void;
  /**
   * Called with the lifetime of the bindings before anything is bound.
   *
   * @param endViews To be called when another version has taken over; never fails.
   */
  opened(lifetime: Lifetime, calls: CallsInFlight, endViews: () => void): void;
  /** Called when the bindings are revoked: calls throw from now on. */
  revoked(lifetime: Lifetime, endViews: () => void): void;
  /** Lets go of the module, once nothing of the bindings is left. */
  release(): void;
  /** Makes a token for other isolates. */
  share(slots: readonly LiveSlot[]): LiveToken;
}

/** The resources of a live library; nothing in it leads back to the library. */
class LiveBody {
  readonly gate = new CallGate();
  readonly resources = new CallResources(enterThread);
  readonly lifetime: Lifetime;
  readonly calls: CallsInFlight;
  readonly buffers = new LiveBuffers();
  readonly #owned = new DisposableStack();

  constructor(readonly source: LiveSource) {
    this.#owned.defer(() => source.release());
    this.#owned.use(this.resources);
    this.calls = new CallsInFlight((count) => {
      if (count === 0) this.lifetime.tryDrain();
    });
    this.lifetime = new Lifetime({ description: `live library of '${source.path}'` }, {
      revoke: () => {
        this.gate.close();
        source.revoked(this.lifetime, this.buffers.endAll);
        this.buffers.endAll();
      },
      wasBound: () => this.resources.used,
      callsInFlight: () => this.calls.count,
      // The module counts its calls and isolates itself.
      callsDrained: () => undefined,
      attachedIsolates: () => 0,
      isShared: () => false,
      hasLostCalls: () => false,
      keepProcessAlive: () => {},
      finalise: () => {},
      free: () => this.#owned.dispose(),
      keepMapped: () => this.#owned.dispose(),
    });
    source.opened(this.lifetime, this.calls, this.buffers.endAll);
  }
}

const unreachable = new FinalizationRegistry<LiveBody>((body) => body.lifetime.revokeQuietly());

/**
 * The object that all functions of a live library refer to: when it is
 * unreachable, the library ends.
 */
export class LiveBindings implements CallOwner, LiveOwner {
  readonly #body: LiveBody;
  readonly #binder: Binder;
  /** The slots of all names that are bound. */
  readonly #slots: LiveSlot[] = [];
  /** The views that follow reloads, by name and description. */
  readonly #views = new Map<string, LiveView<unknown>>();

  constructor(source: LiveSource) {
    this.#body = new LiveBody(source);
    this.#binder = new Binder(this, this.#body.resources, bindListener(source.trace));
    unreachable.register(this, this.#body);
  }

  get gate(): CallGate {
    return this.#body.gate;
  }

  get lifetime(): Lifetime {
    return this.#body.lifetime;
  }

  /** The module's path, or the name that was given for bytes. */
  get path(): string {
    return this.#body.source.path;
  }

  /** The names of the current version's exports, in file order. */
  exportNames(): Iterable<string> {
    return this.#body.source.exportNames();
  }

  /** Counts a call for the library within the time that it counts for the module. */
  readonly calls: CallCounter = {
    begin: () => {
      const end = this.#body.source.begin();
      const endOwn = this.#body.calls.begin();
      return () => {
        endOwn();
        end();
      };
    },
  };

  closedError(name: string): Error {
    return this.#body.lifetime.closedError(name);
  }

  /** Makes a token with which other isolates can call the same functions. */
  share(): LiveToken {
    this.lifetime.requireOpen();
    return this.#body.source.share(this.#slots);
  }

  /**
   * Binds the exports that definitions or names stand for, or all.
   *
   * @throws {LoadError} As {@linkcode bindWanted}.
   */
  bind(wanted: Wanted, { onCrash, ...options }: LiveOptions): SymbolsBound {
    const { source } = this.#body;
    const guards = onCrash === "throw" ? new CrashGuards(source.path, source.quarantinePointer()) : undefined;
    const useSlot = (name: string, size: number) => this.#useSlot(name, size);
    return bindWanted(
      wanted,
      {
        path: source.path,
        verb: "export",
        functionAddress: (name) =>
          source.find(name)?.kind === "function" ? useSlot(name, 0)?.address : undefined,
        staticReader: (name, type) => {
          const found = source.find(name);
          if (found?.kind !== "data") return undefined;
          checkStaticSize(source.path, name, type, found.size);
          const slot = useSlot(name, staticSize(type));
          return slot && this.#staticReader(slot, type);
        },
        kind: (name) => KINDS[source.find(name)?.kind ?? "none"],
        exportNames: () => source.exportNames(),
        types: () => source.types(),
        typeOf: (types, name) => {
          const found = source.find(name);
          const type = found?.typedAt === undefined ? undefined : types.at(found.typedAt);
          return type === undefined ? undefined : { type, size: found!.size };
        },
      },
      this.#binder,
      { ...options, guards },
    );
  }

  /**
   * Returns the view of a variable over all versions.
   *
   * @param size The bytes of `description`, which every version has to provide; 0 without one.
   * @throws {LoadError} `Closed`, and as {@linkcode LiveSource.variable} and `makeView`.
   */
  view(name: string, description: ViewDescription | undefined, size: number): LiveView<unknown> {
    this.lifetime.requireOpen();
    const key = viewKey(name, description);
    let view = this.#views.get(key);
    if (view === undefined) {
      view = new LiveView(this, name, description);
      // Throws before the name is in use, if the view cannot be made.
      void view.value;
      if (this.#useSlot(name, size) === undefined) throw notExported(this.#body.source, name);
      this.#views.set(key, view);
    }
    return view;
  }

  get buffers(): LiveBuffers {
    return this.#body.buffers;
  }

  variable(name: string): OwnedVariable {
    return this.#body.source.variable(name);
  }

  open(address: bigint, length: number, buffers?: ViewBuffers): ArrayBuffer {
    const own = this.#body.buffers;
    return own.open(buffers ?? own.ofStatics, address, length, this);
  }

  #useSlot(name: string, size: number): LiveSlot | undefined {
    const slot = this.#body.source.slot(name, size);
    if (slot !== undefined) this.#slots.push(slot);
    return slot;
  }

  #staticReader(slot: LiveSlot, type: Deno.NativeType): () => unknown {
    const address = (): bigint => {
      const [table] = readAddresses(this.#body.source.tablePointer, 1);
      return readAddresses(table + BigInt(8 * slot.index), 1)[0];
    };
    const reader = this.#body.source.tellsOfReloads
      ? movingStaticReader(type, () => new LiveStatic(this, slot.name, staticSize(type), address))
      : undefined;
    return reader ?? (() => {
      if (!this.gate.open) throw this.closedError(slot.name);
      return readStatic(address(), type);
    });
  }
}
