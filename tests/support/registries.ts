/**
 * A registry on a directory of its own, and small questions about its modules.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { type LoadedModule, LoadError, type LoadErrorKind, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "./failing_allocator.ts";
import { ANSWER } from "./modules.ts";

/** A directory with a registry on it. Disposing ends both and asserts that all memory is freed. */
export class RegistryDirectory implements Disposable {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly allocator = new FailingAllocator();
  readonly registry = new ModuleRegistry({ allocator: this.allocator });

  write(name: string, bytes: Uint8Array): string {
    const path = join(this.directory, name);
    Deno.writeFileSync(path, bytes);
    return path;
  }

  [Symbol.dispose](): void {
    this.registry[Symbol.dispose]();
    Deno.removeSync(this.directory, { recursive: true });
    assertEquals(this.allocator.live.size, 0, "everything is freed with the registry");
  }
}

/** Asserts that a promise rejects with a {@linkcode LoadError} of this kind. */
export async function assertLoadErrorLater(
  promise: Promise<unknown>,
  kind: LoadErrorKind,
): Promise<LoadError> {
  const error = await assertRejects(() => promise, LoadError);
  assertEquals(error.kind, kind, error.message);
  return error;
}

/** Calls a function of a module that takes nothing and returns an integer. */
export function value(module: LoadedModule, name = "value"): number | undefined {
  return module.getFunction(name, ANSWER)?.();
}
