/**
 * Bindings that follow reloads: the functions stay, what they run is new.
 */

import { Binder, CallResources } from "../call/binder.ts";
import { CallGate, type CallOwner } from "../call/gate.ts";
import { type CallCounter, CallsInFlight } from "../call/in_flight.ts";
import type { CallPath } from "../call/path.ts";
import { readAddresses, readStatic, staticSize } from "../os/native_memory.ts";
import { bindSymbols } from "../call/symbols.ts";
import { LoadError } from "../errors.ts";
import { Lifetime } from "./lifetime.ts";
import { attachControl } from "./share/attach.ts";
import { type LiveToken, openLiveToken } from "./share/token.ts";
import type { ExportKind } from "../image/compatibility.ts";

/** A name that a live library uses, and where it is found in every isolate. */
export interface LiveSlot {
  readonly name: string;
  readonly index: number;
  readonly kind: ExportKind;
  /** The trampoline's address. */
  readonly address: bigint;
  /** Bytes of the largest static that it is bound as; every version has that many there. */
  readonly size: number;
}

/** What a live library stands on: the module in the isolate that owns it, or an attachment elsewhere. */
export interface LiveSource {
  /** The module's path, or the name that was given for bytes. */
  readonly path: string;
  /** Where the address of the current version's table is. */
  readonly tablePointer: bigint;
  /**
   * The slot of a name, for a static of `size` bytes; undefined if the module does not export it.
   *
   * @throws {LoadError} `Incompatible` if so many bytes would end outside the module.
   */
  slot(name: string, size: number): LiveSlot | undefined;
  /** Counts a nonblocking call, which may run in whatever version is there. */
  begin(): () => void;
  /** Told the life of the bindings before anything is bound. */
  opened(lifetime: Lifetime, calls: CallsInFlight): void;
  /** Calls throw from now on. */
  revoked(lifetime: Lifetime): void;
  /** Nothing is left of the bindings: lets go of the module. */
  release(): void;
  /** A token for other isolates. */
  share(slots: readonly LiveSlot[]): LiveToken;
}

/** What a live library owns; nothing in it leads back to the library. */
class LiveBody {
  readonly gate = new CallGate();
  readonly resources = new CallResources();
  readonly lifetime: Lifetime;
  readonly calls: CallsInFlight;

  constructor(readonly source: LiveSource) {
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
      // The module counts them.
      passed: () => undefined,
      otherIsolates: () => 0,
      isShared: () => false,
      awaited: () => {},
      finish: () => {},
      free: () => this.#free(),
      keep: () => this.#free(),
    });
    source.opened(this.lifetime, this.calls);
  }

  #free(): void {
    this.resources[Symbol.dispose]();
    this.source.release();
  }
}

const unreachable = new FinalizationRegistry<LiveBody>((body) => body.lifetime.revokeQuietly());

/** What the functions of a library hold on to: when none of them is left, the library ends. */
class LiveOwner implements CallOwner {
  readonly body: LiveBody;
  readonly binder: Binder;
  readonly slots: LiveSlot[] = [];

  constructor(source: LiveSource) {
    this.body = new LiveBody(source);
    this.binder = new Binder(this, this.body.resources);
    unreachable.register(this, this.body);
  }

  get gate(): CallGate {
    return this.body.gate;
  }

  /** The library counts a call before the module does, and until after. */
  readonly calls: CallCounter = {
    begin: () => {
      const end = this.body.source.begin();
      const endOwn = this.body.calls.begin();
      return () => {
        endOwn();
        end();
      };
    },
  };

  closedError(name: string): Error {
    return this.body.lifetime.closedError(name);
  }

  /**
   * The symbols of `definitions`.
   *
   * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing.
   */
  bind<S extends Deno.ForeignLibraryInterface>(
    definitions: S,
    callPath: CallPath,
  ): Deno.StaticForeignLibraryInterface<S> {
    const { source } = this.body;
    const use = (name: string, kind: ExportKind, size: number): LiveSlot | undefined => {
      const slot = source.slot(name, size);
      if (slot?.kind !== kind) return undefined;
      this.slots.push(slot);
      return slot;
    };
    return bindSymbols(
      definitions,
      {
        path: source.path,
        verb: "export",
        functionAddress: (name) => use(name, "function", 0)?.address,
        staticReader: (name, type) => {
          const slot = use(name, "data", staticSize(type));
          return slot && (() => this.#readStatic(slot, type));
        },
      },
      this.binder,
      callPath,
    );
  }

  #readStatic(slot: LiveSlot, type: Deno.NativeType): unknown {
    if (!this.gate.open) throw this.closedError(slot.name);
    const [table] = readAddresses(this.body.source.tablePointer, 1);
    const [address] = readAddresses(table + BigInt(8 * slot.index), 1);
    return readStatic(address, type);
  }
}

let create: <S extends Deno.ForeignLibraryInterface>(
  source: LiveSource,
  definitions: S,
  callPath: CallPath,
) => LiveLibrary<S>;

/**
 * Functions and variables of a module that follow its reloads: they stay the
 * same JavaScript functions for ever and run the newest committed code.
 *
 * Made by `ModuleRegistry.open`. A call costs what one of a pinned module does.
 *
 * @example
 * ```ts
 * import { ModuleRegistry } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * using registry = new ModuleRegistry();
 * const version1 = Deno.readFileSync("fixtures/counter_v1.smf");
 * const version2 = Deno.readFileSync("fixtures/counter_v2.smf");
 * registry.loadBytes("counter", version1);
 * using counter = registry.open("counter", { answer: { parameters: [], result: "i32" } });
 * const { answer } = counter.symbols;
 * assertEquals(answer(), 41);
 * registry.reload("counter", { bytes: version2 });
 * assertEquals(answer(), 42);
 * ```
 */
export class LiveLibrary<S extends Deno.ForeignLibraryInterface> implements Disposable, AsyncDisposable {
  readonly #owner: LiveOwner;
  /**
   * A function for each function, a getter that reads the value now for each
   * static. Frozen; the same objects over all versions.
   */
  readonly symbols: Deno.StaticForeignLibraryInterface<S>;

  static {
    create = (source, definitions, callPath) => new LiveLibrary(source, definitions, callPath);
  }

  private constructor(source: LiveSource, definitions: S, callPath: CallPath) {
    this.#owner = new LiveOwner(source);
    try {
      this.symbols = this.#owner.bind(definitions, callPath);
    } catch (error) {
      this.#owner.body.lifetime.revokeQuietly();
      throw error;
    }
  }

  /** The module's path, or the name that was given for bytes. */
  get path(): string {
    return this.#owner.body.source.path;
  }

  /** Whether calls go through. */
  get isOpen(): boolean {
    return this.#owner.gate.open;
  }

  /**
   * A token with which other isolates can call the same functions. A reload in
   * the isolate that owns the module is at once the truth in all of them.
   *
   * @throws {LoadError} `Closed`; `Unsupported` if the module cannot be shared.
   */
  share(): LiveToken {
    this.#owner.body.lifetime.requireOpen();
    return this.#owner.body.source.share(this.#owner.slots);
  }

  /**
   * The live functions that a token is for, in this isolate.
   *
   * @param token What `share()` gave, in this process.
   * @param definitions Of names that the library which gave the token has bound.
   * @throws {LoadError} `InvalidToken`, `Closed`, `Busy`; `UndefinedSymbol`, listing every name that is missing.
   *
   * @example
   * ```ts
   * import { LiveLibrary, ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * await using registry = new ModuleRegistry();
   * registry.loadBytes("counter", Deno.readFileSync("fixtures/counter_v1.smf"));
   * const definitions = { answer: { parameters: [], result: "i32" } } as const;
   * const token = structuredClone(registry.open("counter", definitions).share()); // as postMessage does
   *
   * // In the Worker:
   * using attached = LiveLibrary.attach(token, definitions);
   * assertEquals(attached.symbols.answer(), 41);
   * ```
   */
  static attach<const S extends Deno.ForeignLibraryInterface>(
    token: LiveToken,
    definitions: S,
    options: { readonly callPath?: CallPath } = {},
  ): LiveLibrary<S> {
    return create(attachSource(token), definitions, options.callPath ?? "auto");
  }

  /**
   * Ends these bindings; the module stays as long as somebody else needs it.
   * Closing twice does nothing.
   *
   * @throws {LoadError} `Busy` while a nonblocking call is in flight; then nothing has changed.
   */
  close(): void {
    const { lifetime } = this.#owner.body;
    if (lifetime.state !== "open") return;
    lifetime.requireNoCalls();
    lifetime.revoke();
  }

  /** As {@linkcode LiveLibrary.close}, but waits for nonblocking calls. */
  async closeAsync(): Promise<void> {
    await this.#owner.body.lifetime.freed();
  }

  /** As {@linkcode LiveLibrary.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** As {@linkcode LiveLibrary.closeAsync}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAsync();
  }
}

/** New live bindings. */
export function openLive<S extends Deno.ForeignLibraryInterface>(
  source: LiveSource,
  definitions: S,
  callPath: CallPath,
): LiveLibrary<S> {
  return create(source, definitions, callPath);
}

/** The far side of sharing: live functions of a module that another isolate owns. */
function attachSource(token: LiveToken): LiveSource {
  const { module, control } = openLiveToken(token);
  const slots = new Map(module.slots.map((slot) => [slot.name, slot]));
  let lifetime: Lifetime | undefined;
  let calls: CallsInFlight | undefined;
  const attachment = attachControl(control, `live functions of '${module.path}'`, {
    revoked: () => lifetime?.revokeQuietly(),
    callsOut: () => calls?.whenReturned(),
  });
  return {
    path: module.path,
    tablePointer: module.tablePointer,
    slot(name, size) {
      const slot = slots.get(name);
      if (slot !== undefined && size > slot.size) {
        throw new LoadError("Incompatible", "Cannot bind static: whoever shared it bound a smaller one", {
          path: module.path,
          symbol: name,
          size,
          range: [0, slot.size + 1],
        });
      }
      return slot;
    },
    begin() {
      attachment.setInFlight(calls!.count + 1);
      return () => attachment.setInFlight(calls!.count);
    },
    opened(life, counter) {
      lifetime = life;
      calls = counter;
    },
    revoked: () => {},
    release: () => attachment.leave(),
    share: () => token,
  };
}
