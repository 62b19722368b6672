/**
 * The variables of a live library: statics and views that follow reloads.
 */

import type { CallGate } from "../call/gate.ts";
import type { MovingStaticMemory } from "../call/static_reader.ts";
import { type TrackedBuffer, ViewBuffers } from "../call/view/buffers.ts";
import type { ViewDescription } from "../call/view/description.ts";
import { makeView, type Variable } from "./views.ts";

/** A variable of the current version, and the buffers of that version. */
export interface OwnedVariable extends Variable {
  readonly buffers: ViewBuffers;
}

/** The buffers that a live library has open; refers to none of them strongly, as it is part of the body. */
export class LiveBuffers {
  readonly #ends = new Set<() => void>();
  /** Buffers of statics, which nobody else sees. */
  readonly ofStatics: ViewBuffers = new ViewBuffers();
  /** Counts how often all of them have ended. */
  generation: number = 0;
  /** Open until all that are open now have ended. */
  now: { open: boolean } = { open: true };

  /**
   * Makes a buffer over a part of the current version.
   *
   * @param buffers The version's, which tries again if this library cannot detach one.
   * @param owner The library.
   */
  open(buffers: ViewBuffers, address: bigint, length: number, owner: object): ArrayBuffer {
    const { buffer, end }: TrackedBuffer = buffers.open(address, length, owner);
    this.#ends.add(end);
    return buffer;
  }

  /** Detaches all of them: another version is the current one now, or the library is closed. Never fails. */
  readonly endAll = (): void => {
    this.generation++;
    this.now.open = false;
    this.now = { open: true };
    for (const end of this.#ends) {
      try {
        end();
      } catch {
        // Near the end of the stack. The version's own end tries again, before its memory goes.
      }
    }
    this.#ends.clear();
  };
}

/** The variables' side of a live library. */
export interface LiveOwner {
  readonly gate: CallGate;
  closedError(name: string): Error;
  readonly buffers: LiveBuffers;
  /** Finds the variable in the current version. */
  variable(name: string): OwnedVariable;
  /** Makes a buffer, which is detached when another version takes over; without `buffers` one of a static. */
  open(address: bigint, length: number, buffers?: ViewBuffers): ArrayBuffer;
}

/** The memory of a static, in whichever version is the current one. */
export class LiveStatic implements MovingStaticMemory {
  readonly #owner: LiveOwner;
  readonly #name: string;
  readonly #buffers: LiveBuffers;
  readonly #size: number;
  readonly #address: () => bigint;
  #view = NO_VIEW;
  #generation = -1;
  readonly buffer: ArrayBuffer;
  /** Open until the first reload: from then on the variable is elsewhere. */
  readonly gate: { readonly open: boolean };

  /** @param address Finds the address of the static in the current version. */
  constructor(owner: LiveOwner, name: string, size: number, address: () => bigint) {
    this.#owner = owner;
    this.#name = name;
    this.#buffers = owner.buffers;
    this.#size = size;
    this.#address = address;
    this.gate = owner.buffers.now;
    this.buffer = owner.open(address(), size);
  }

  view(): DataView {
    if (!this.#owner.gate.open) throw this.#owner.closedError(this.#name);
    if (this.#generation !== this.#buffers.generation) this.#refresh();
    return this.#view;
  }

  #refresh(): void {
    const { generation } = this.#buffers;
    this.#view = new DataView(this.#owner.open(this.#address(), this.#size));
    this.#generation = generation;
  }
}

const NO_VIEW = new DataView(new ArrayBuffer(0));

/**
 * A view that follows reloads, from {@linkcode LiveLibrary.view}.
 */
export class LiveView<V> {
  readonly #owner: LiveOwner;
  readonly #description: ViewDescription | undefined;
  #value: V | undefined;
  /** The generation that the value is of; -1 without a value. */
  #generation = -1;
  /** The variable's name. */
  readonly name: string;

  /** Made by a live library. */
  constructor(owner: LiveOwner, name: string, description: ViewDescription | undefined) {
    this.#owner = owner;
    this.name = name;
    this.#description = description;
  }

  /**
   * The view of the variable in the current version: the same one until a reload,
   * which detaches it.
   *
   * @throws {LoadError} `Closed`; and as {@linkcode LoadedModule.view}, if the new version has no such variable, or
   * keeps no type of it.
   */
  get value(): V {
    const owner = this.#owner;
    if (!owner.gate.open) throw owner.closedError(this.name);
    const { generation } = owner.buffers;
    if (this.#generation === generation) return this.#value!;
    // Views of two versions are never mixed: without the new one there is none.
    this.#generation = -1;
    const variable = owner.variable(this.name);
    this.#value = makeView(
      variable,
      this.#description,
      (address, length) => owner.open(address, length, variable.buffers),
    ) as V;
    this.#generation = generation;
    return this.#value;
  }
}
