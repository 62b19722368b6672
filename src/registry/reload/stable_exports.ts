/**
 * The exports of a module over all its versions: addresses that stay the same
 * while versions come and go, and holds that move on to the current version.
 *
 * Functions are imported and called live through trampolines; imports of variables are in `VariableImporters`.
 */

import type { CallsDrained } from "../../call/in_flight.ts";
import type { Compatibility } from "../../image/compatibility.ts";
import { candidateExporter } from "./candidate_exporter.ts";
import { canonicalAddresses } from "./given_addresses.ts";
import { type CandidateFit, NamesInUse } from "./names_in_use.ts";
import { LoadError } from "../../errors/load_error.ts";
import {
  type Exporter,
  exportHashes,
  exportNames,
  exportSize,
  findByKey,
  findExported,
  requireRoom,
  typedAt,
} from "./exports.ts";
import { ImporterHolds } from "./importer_holds.ts";
import type { FoundImport, IsolateQuestion, Provider } from "../../load/imports/resolve.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { CandidateAddresses, prepareCalls, takeOwnAddresses } from "./own_functions.ts";
import { isolateQuestion, type ServedImages } from "./served_images.ts";
import type { PreparedVersion, PrepareOptions } from "./prepared_version.ts";
import { releaseAfterCalls } from "./release_after_calls.ts";
import { SharedSlots } from "./shared_slots.ts";
import { isEntryKey } from "../../smf/entries.ts";
import type { SharedLive } from "../../module/share/token.ts";
import { ThreadLocalImporters } from "./thread_local_importers.ts";
import { TrampolineUsers } from "../../module/share/trampoline_users.ts";
import type { TrampolineSlot } from "./slot_names.ts";
import { TrampolineSlots } from "./trampoline_slots.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** The exports of one module over all its versions. */
export class StableExports implements Exporter {
  #version: ModuleVersion;
  /** The images of the current version, and of the one that takes over next. */
  readonly #images: ServedImages;
  readonly #allocator: MemoryAllocator;
  readonly #slots: TrampolineSlots;
  /** The slots that other isolates were given. */
  readonly #shared = new SharedSlots();
  readonly #holds = new ImporterHolds();
  readonly #uses: NamesInUse;
  readonly threadLocals = new ThreadLocalImporters();
  readonly #provider: Provider;
  /** Everybody that may be calling through the trampolines. */
  readonly users = new TrampolineUsers();
  /** Live libraries, each of which counts as a handle. */
  #libraries = 0;
  readonly #callsDrained: () => CallsDrained | undefined;
  readonly #isIsolateLocal: IsolateQuestion;
  #onReplaced: () => void = () => {};

  /**
   * @param callsDrained Settles when every call into any module that is in
   * flight now has returned or is lost; undefined if none is.
   */
  constructor(
    version: ModuleVersion,
    allocator: MemoryAllocator,
    callsDrained: () => CallsDrained | undefined,
  ) {
    this.#allocator = allocator;
    this.#slots = new TrampolineSlots(allocator, this.users);
    this.#uses = new NamesInUse(this.#slots, this.#shared);
    this.#callsDrained = callsDrained;
    this.#version = version;
    this.#images = { current: version.image };
    this.#isIsolateLocal = isolateQuestion(this.#images);
    this.#provider = {
      description: version.provider.description,
      hold: (importer) => this.#holds.hold(importer, this.#version),
    };
  }

  /** The current version: the newest that was committed. */
  get version(): ModuleVersion {
    return this.#version;
  }

  /** Counts a live library as a handle on the current version, whichever that is. */
  addLibrary(): void {
    this.#version.addHandle();
    this.#libraries++;
  }

  /** Gives the handle of a live library back; isolates that it was shared with keep it until they leave. */
  dropLibrary(): void {
    if (this.users.attachedIsolates() > 0) return this.users.whenEmpty(() => this.dropLibrary());
    this.#libraries--;
    this.#version.closeHandleUnlessImported();
  }

  /** Makes the module itself see the canonical addresses of its functions, before any of its code has run. */
  takeOwnAddresses(): void {
    takeOwnAddresses(this.#version, this.#allocator, this.#slots, (key) => this.#ownSlot(key)!);
    this.#giveAddresses(this.#version);
  }

  #giveAddresses(version: ModuleVersion): void {
    version.canonicalAddresses = canonicalAddresses(this, this.#uses.leased, version);
  }

  find(name: string): FoundImport | undefined {
    const exported = findExported(this.#version, name);
    if (exported === undefined) return undefined;
    if (exported.kind === "data") return this.#uses.variables.find(name, this.#version, this.#isIsolateLocal);
    return this.#foundFunction(this.slot(name)!, this.#provider);
  }

  findThreadLocal(name: string): FoundImport | undefined {
    return this.threadLocals.find(name, this.#version, this.#isIsolateLocal);
  }

  names(): Iterable<string> {
    return exportNames(this.#version);
  }

  /** The hashes of the names that can be imported. */
  nameHashes(): Iterable<number> {
    return exportHashes(this.#version);
  }

  /** Sets a callback that runs when another version has taken over. It must not fail. */
  whenReplaced(callback: () => void): void {
    this.#onReplaced = callback;
  }

  /**
   * Links other candidates, which take over together with this one, to what it
   * will export. New functions lead into it at once, the others when it takes
   * over. Lasts until {@linkcode StableExports.withdrawCandidate}.
   */
  exposeCandidate(candidate: ModuleVersion): Exporter {
    this.#images.candidate = candidate.image;
    return candidateExporter(candidate, {
      current: this.#version,
      slots: this.#slots,
      variables: this.#uses.variables,
      threadLocals: this.threadLocals,
      isIsolateLocal: this.#isIsolateLocal,
      provider: {
        description: this.#provider.description,
        hold: (importer) => this.#holds.hold(importer, candidate),
      },
      slot: (name) => this.slot(name),
      found: (slot, provider = this.#provider) => this.#foundFunction(slot, provider),
    });
  }

  /** Ends {@linkcode StableExports.exposeCandidate}: the candidate takes over now, or never. */
  withdrawCandidate(): void {
    this.#images.candidate = undefined;
  }

  #foundFunction(slot: TrampolineSlot, provider: Provider): FoundImport {
    const { description: from } = provider, isIsolateLocal = this.#isIsolateLocal;
    return {
      address: this.trampoline(slot),
      from,
      provider,
      claim: () => slot.claims.add(slot.declared),
      isIsolateLocal,
    };
  }

  /**
   * Gives other isolates the exports: the names in `used`, which stay in use for
   * as long as the module lives, and all others, which an isolate can claim.
   */
  shareSlots(used: readonly string[]): Pick<SharedLive, "slots" | "claims" | "types"> {
    const slots = new Set<TrampolineSlot>();
    for (const name of [...used, ...exportNames(this.#version)]) {
      const slot = this.slot(name);
      if (slot !== undefined) slots.add(slot);
    }
    for (const name of used) this.#shared.keep(this.#slots.get(name)!);
    return this.#shared.share([...slots], this.#version, (slot) => this.trampoline(slot));
  }

  /** The size of an export in bytes; 0 if that is not known. */
  symbolSize(name: string): number {
    return exportSize(this.#version, name);
  }

  /** The offset in the image by which an export's type is found; undefined if it has none. */
  typedAt(name: string): number | undefined {
    return typedAt(this.#version, name);
  }

  /** The slot of an export; undefined if the current version does not export it. */
  slot(name: string): TrampolineSlot | undefined {
    // Entries are the module's own, whatever a program asks for.
    return isEntryKey(name) ? undefined : this.#ownSlot(name);
  }

  /** The slot of an export or an entry; undefined if the current version does not have it. */
  #ownSlot(key: string): TrampolineSlot | undefined {
    const known = this.#slots.find(key);
    if (known !== undefined) return known;
    const found = findByKey(this.#version, key);
    return found && this.#slots.enter(this.#version, key, found, this.#version);
  }

  /**
   * Requires every version to provide at least `size` bytes where a slot leads.
   *
   * @throws {LoadError} `Incompatible` if the current version does not.
   */
  reserve(slot: TrampolineSlot, size: number): void {
    requireRoom(this.#version, slot.name, size);
    slot.size = Math.max(slot.size, size);
  }

  /** The canonical address of an exported function. */
  trampoline(slot: TrampolineSlot): bigint {
    return this.#slots.address(this.#version, slot);
  }

  /** Whether a function's entry leads into a version. */
  leadsInto(lifetime: Lifetime): boolean {
    return this.#slots.leadInto(lifetime);
  }

  /** Says which function the trampoline at an address is for, and where it leads; undefined for other addresses. */
  trampolineAt(address: bigint): { readonly name: string; readonly target: bigint } | undefined {
    return this.#slots.trampolineAt(address);
  }

  /** The address of the word that holds the address of the current version's table. */
  get tablePointer(): bigint {
    return this.#slots.tablePointer(this.#version);
  }

  /** Prepares the current version for guards. Returns the address of the word that leads to its quarantine. */
  quarantinePointer(): bigint {
    // Throws where there are none.
    this.#version.guards();
    return this.#slots.quarantinePointer(this.#version);
  }

  /** @throws {LoadError} `Incompatible`, listing the names in use that do not fit the candidate. */
  check(candidate: ModuleVersion, compatibility: Compatibility): void {
    this.#fit(candidate, compatibility, false);
  }

  /**
   * Gets ready to send all users to another version. Everything that can fail
   * happens here. No foreign code may run between this and the commit: it could
   * begin to use more of the module.
   *
   * @param undo Gets what is to be disposed of if the candidate does not take over.
   * @throws {LoadError} As {@linkcode StableExports.check}, and what the allocator throws.
   */
  prepare(
    candidate: ModuleVersion,
    { compatibility, leases }: PrepareOptions,
    undo: DisposableStack,
  ): PreparedVersion {
    const previous = this.#version;
    const calls = prepareCalls(
      previous,
      this.#allocator,
      this.#slots,
      (key) => this.#ownSlot(key)!,
      undo,
    );
    const own = new CandidateAddresses(candidate, this.#slots);
    own.enter(previous, (key) => this.#ownSlot(key));
    let fit = this.#fit(candidate, compatibility);
    // Another isolate may claim an export at any moment, until it is withdrawn.
    while (!this.#shared.withdraw(fit.withdrawn, undo)) fit = this.#fit(candidate, compatibility);
    const { targets, changes } = fit;
    const slots = this.#slots.prepare(candidate, targets, leases, undo);
    const holds = this.#holds.prepare(candidate, undo);
    const variables = this.#uses.variables.prepare(candidate, undo);
    const addresses = own.prepare(previous, this.#allocator, targets);
    undo.defer(() => addresses.release());
    return {
      canonical: addresses.canonical,
      commit: () => {
        changes.accept();
        calls.commit();
        slots.commit();
        addresses.commit();
        this.#giveAddresses(candidate);
        this.#version = candidate;
        this.#images.current = candidate.image;
        this.users.endViews();
        this.#onReplaced();
        holds.commit();
        variables.commit();
      },
      release: () => {
        calls.release();
        addresses.release();
        variables.protect();
        previous.transferHandles(this.#libraries, candidate);
        previous.removeTrampolineUsers(this.users);
        releaseAfterCalls(
          previous.lifetime,
          this.#callsDrained(),
          (allReturned) => slots.release(allReturned),
        );
        holds.release();
        variables.release();
      },
    };
  }

  /** @throws {LoadError} `Incompatible`, listing the names in use that do not fit the candidate. */
  #fit(candidate: ModuleVersion, compatibility: Compatibility, renews = true): CandidateFit {
    const reason = candidate.image.whyNotShareable();
    if (reason !== undefined && (this.users.isShared || this.#version.lifetime.isImportedByShared())) {
      throw new LoadError("Incompatible", `Cannot reload: other isolates call the module, and ${reason}`, {
        path: candidate.path,
        hint: "build a version that needs nothing of this isolate, or load it under another name",
      });
    }
    return this.#uses.fit(this.#version, candidate, compatibility, renews);
  }
}
