/** A module whose versions are compiled from source text as they are needed, and keep their variables. */
import { assert } from "@std/assert";
import {
  type CarryReport,
  type LoadedModule,
  LoadError,
  ModuleRegistry,
  type ModuleRegistryOptions,
  type TakeoverOptions,
} from "../../mod.ts";
import { compiledVersion } from "./compiled_versions.ts";

/** Flags for C: each variable in a section of its own. */
export const C = ["-O2", "-g", "-fdata-sections"];
/** Options for C++. */
export const CPP = { compiler: "g++", flags: ["-O2", "-g", "-fdata-sections"] } as const;
const LIBRARIES = ["libstdc++.so.6", "libgcc_s.so.1"];

/** A registry with one module, whose versions are compiled from source text as they are needed. */
export class KeptModule implements AsyncDisposable {
  readonly registry: ModuleRegistry;
  #module: LoadedModule | undefined;
  readonly #folder: string;
  readonly #options: Parameters<typeof compiledVersion>[2];

  constructor(
    folder: string,
    options: Parameters<typeof compiledVersion>[2] = { flags: C },
    registry: ModuleRegistryOptions = {},
  ) {
    this.#folder = folder;
    this.#options = options;
    this.registry = new ModuleRegistry({ libraries: LIBRARIES, keepVersions: 4, ...registry });
  }

  async load(source: string | readonly string[]): Promise<LoadedModule> {
    return this.#module = this.registry.loadBytes(
      "m",
      await compiledVersion(this.#folder, source, this.#options),
    );
  }

  /** Replaces the version that serves by a source, or by a version that was compiled before. */
  async reload(
    version: string | readonly string[] | Uint8Array<ArrayBuffer>,
    options: TakeoverOptions = {},
  ): Promise<CarryReport> {
    const bytes = version instanceof Uint8Array
      ? version
      : await compiledVersion(this.#folder, version, this.#options);
    return this.#take(this.registry.reload("m", { bytes, state: "keep", ...options }));
  }

  rollback(options: TakeoverOptions = {}): CarryReport {
    return this.#take(this.registry.rollback("m", { state: "keep", ...options }));
  }

  /** Compiles a version; one that is not reloadable has no homes. */
  compile(source: string, reloadable = true): Promise<Uint8Array<ArrayBuffer>> {
    return compiledVersion(this.#folder, source, { ...this.#options, reloadable });
  }

  #take(module: LoadedModule): CarryReport {
    this.#module!.close();
    this.#module = module;
    return module.carried!;
  }

  /** Calls a function of the version that serves. */
  call(name: string, ...args: number[]): number {
    const parameters = args.map(() => "i32" as const);
    const found = this.#module!.getFunction(name, { parameters, result: "i32" });
    assert(found !== null, `no function ${name}`);
    return (found as (...args: number[]) => number)(...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The reasons by the names of the variables that start anew. */
export function freshOf({ fresh }: CarryReport): Record<string, string> {
  return Object.fromEntries(fresh.map(({ name, reason }) => [name, reason]));
}

/** The error that ends some work. */
export async function rejection(work: () => Promise<unknown>): Promise<LoadError> {
  try {
    await work();
  } catch (error) {
    assert(error instanceof LoadError, `${error}`);
    return error;
  }
  throw new Error("Expected a LoadError");
}
