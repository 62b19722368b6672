/**
 * The bindings behind a live library: functions that jump through trampolines,
 * and statics that are read through the current version's table.
 */

import { Binder, CallResources } from "../call/binder.ts";
import { CallGate, type CallOwner } from "../call/gate.ts";
import { type CallCounter, CallsInFlight } from "../call/in_flight.ts";
import { checkStaticSize } from "../call/statics.ts";
import { type BindingOptions, bindWanted, type SymbolsBound } from "../call/symbols.ts";
import type { Wanted } from "../call/typed_definitions.ts";
import type { ExportKind } from "../image/compatibility.ts";
import type { ModuleTypes } from "../smf/types.ts";
import { readAddresses, readStatic, staticSize } from "../os/native_memory.ts";
import { Lifetime } from "./lifetime.ts";
import type { LiveToken } from "./share/token.ts";

/** The kinds of exports, as errors name them. */
const KINDS = { function: "a function", data: "a variable", none: undefined } as const;

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
  /** The address of the word that holds the address of the current version's table. */
  readonly tablePointer: bigint;
  /** What the current version says about an export; undefined if it does not export the name. */
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
  /** Called with the lifetime of the bindings before anything is bound. */
  opened(lifetime: Lifetime, calls: CallsInFlight): void;
  /** Called when the bindings are revoked: calls throw from now on. */
  revoked(lifetime: Lifetime): void;
  /** Lets go of the module, once nothing of the bindings is left. */
  release(): void;
  /** Makes a token for other isolates. */
  share(slots: readonly LiveSlot[]): LiveToken;
}

/** The resources of a live library; nothing in it leads back to the library. */
class LiveBody {
  readonly gate = new CallGate();
  readonly resources = new CallResources();
  readonly lifetime: Lifetime;
  readonly calls: CallsInFlight;
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
        source.revoked(this.lifetime);
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
    source.opened(this.lifetime, this.calls);
  }
}

const unreachable = new FinalizationRegistry<LiveBody>((body) => body.lifetime.revokeQuietly());

/**
 * The object that all functions of a live library refer to: when it is
 * unreachable, the library ends.
 */
export class LiveBindings implements CallOwner {
  readonly #body: LiveBody;
  readonly #binder: Binder;
  /** The slots of all names that are bound. */
  readonly #slots: LiveSlot[] = [];

  constructor(source: LiveSource) {
    this.#body = new LiveBody(source);
    this.#binder = new Binder(this, this.#body.resources);
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
  bind(wanted: Wanted, options: BindingOptions): SymbolsBound {
    const { source } = this.#body;
    const useSlot = (name: string, size: number): LiveSlot | undefined => {
      const slot = source.slot(name, size);
      if (slot !== undefined) this.#slots.push(slot);
      return slot;
    };
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
          return slot && (() => this.#readStatic(slot, type));
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
      options,
    );
  }

  #readStatic(slot: LiveSlot, type: Deno.NativeType): unknown {
    if (!this.gate.open) throw this.closedError(slot.name);
    const [table] = readAddresses(this.#body.source.tablePointer, 1);
    const [address] = readAddresses(table + BigInt(8 * slot.index), 1);
    return readStatic(address, type);
  }
}
