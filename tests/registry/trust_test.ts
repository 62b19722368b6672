// Registries that load signed modules only, from the option down to what is mapped.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError, type LoadErrorKind, ModuleRegistry, type ModuleRegistryOptions } from "../../mod.ts";
import { parsePublicKey, publicKeyText } from "../../src/smf/keys.ts";
import { makeKeys, signModule } from "../../src/smf/sign.ts";
import { ANSWER } from "../support/modules.ts";
import { assertLoadError, checkLoadError, TemporaryDirectory, WatchedAllocator } from "../support/testing.ts";
import { version } from "../support/versions.ts";

const [OLD_KEY, KEY, OTHER] = [await makeKeys(), await makeKeys(), await makeKeys()];
const answering = (answer: number): Uint8Array => version({ functions: { value: answer } });
const sign = (bytes: Uint8Array, { privateKey }: typeof KEY) => signModule(bytes, privateKey);
const UNSIGNED = answering(1);
const [ONE, TWO] = [await sign(UNSIGNED, KEY), await sign(answering(2), KEY)];
const FOREIGN = await sign(answering(3), OTHER);
const valueOf = (module: ReturnType<ModuleRegistry["load"]>) => module.getFunction("value", ANSWER)!();

/** A registry on a directory; disposing asserts that all memory is freed. */
class Place implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly allocator = new WatchedAllocator();
  readonly registry: ModuleRegistry;
  readonly path = this.directory.file("m.smf", ONE);

  constructor(keys: string[] = [KEY.publicKey]) {
    this.registry = new ModuleRegistry({ allocator: this.allocator, trust: { keys } });
  }

  /** Asserts that `work` fails with an error of this kind, and allocates nothing. */
  refuses(work: () => unknown, kind: LoadErrorKind, path: string): LoadError {
    const before = this.allocator.nearby.length;
    const error = assertLoadError(work, kind, { path });
    assertEquals(this.allocator.nearby.length, before, "nothing is mapped for what is refused");
    return error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
    assertEquals(this.allocator.live.size, 0);
  }
}

Deno.test("a signed module loads, by every way; keys are PEM or text", async () => {
  const text = publicKeyText(parsePublicKey(KEY.publicKey));
  for (const keys of [[KEY.publicKey], [text], [OTHER.publicKey, text]]) {
    await using place = new Place(keys);
    const { registry, path } = place;
    using a = registry.loadBytes("bytes", ONE);
    using b = await registry.loadAsync(path);
    using c = registry.load(path);
    using live = registry.open(path, { value: ANSWER });
    assertEquals([a, b, c].map(valueOf), [1, 1, 1]);
    assertEquals(live.symbols.value(), 1);
    registry.loadAll([place.directory.file("other.smf", TWO)]);
  }
});

Deno.test("anything else does not load, by any way, and nothing is mapped", async () => {
  await using place = new Place();
  const { registry, directory } = place;
  const damaged = ONE.slice();
  damaged[damaged.length - 1] ^= 1;
  const cases: readonly (readonly [name: string, bytes: Uint8Array, kind: LoadErrorKind])[] = [
    ["unsigned.smf", UNSIGNED, "Untrusted"],
    ["foreign.smf", FOREIGN, "Untrusted"],
    ["damaged.smf", damaged, "InvalidFormat"],
  ];
  for (const [name, bytes, kind] of cases) {
    const path = directory.file(name, bytes);
    place.refuses(() => registry.load(path), kind, path);
    place.refuses(() => registry.open(path, { value: ANSWER }), kind, path);
    place.refuses(() => registry.loadBytes("bytes", bytes), kind, "bytes");
    assertLoadError(() => registry.loadAll([place.path, path]), kind, { path });
    checkLoadError(await assertRejects(() => registry.loadAsync(path)), kind, { path });
  }
  assertEquals(registry.modules().length, 0);
});

Deno.test("reloads take signed versions only, and the version that runs goes on", async () => {
  await using place = new Place();
  const { registry, path, directory } = place;
  using live = registry.open(path, { value: ANSWER });
  for (const bytes of [UNSIGNED, FOREIGN]) {
    const error = assertThrows(() => registry.reload(path, { bytes }), LoadError);
    assertEquals([error.kind, live.symbols.value()], ["Untrusted", 1]);
    directory.file("m.smf", bytes);
    assertThrows(() => registry.reload(path), LoadError);
    assertThrows(() => registry.reloadAll([path]), LoadError);
    assertEquals(live.symbols.value(), 1);
  }
  directory.file("m.smf", TWO);
  registry.reload(path).close();
  assertEquals(live.symbols.value(), 2);
  registry.rollback(path).close();
  assertEquals(live.symbols.value(), 1);
});

Deno.test("a watch reports a version that nobody trusted has signed, and takes the next one", async () => {
  await using place = new Place();
  const { registry, path, directory } = place;
  using live = registry.open(path, { value: ANSWER });
  const seen: string[] = [];
  const stop = new AbortController();
  const events = registry.watch({ debounce: 5, signal: stop.signal });
  directory.file("m.smf", FOREIGN);
  for await (const event of events) {
    seen.push(event.kind === "failed" ? (event.error as LoadError).kind : event.kind);
    if (event.kind === "reloaded") stop.abort();
    else directory.file("m.smf", TWO);
  }
  assertEquals([seen[0], seen.at(-1), live.symbols.value()], ["Untrusted", "reloaded", 2]);
});

Deno.test("keys are replaced by others while modules have signatures of both", async () => {
  const both = await sign(await sign(answering(4), OLD_KEY), KEY);
  for (const { publicKey } of [OLD_KEY, KEY]) {
    await using place = new Place([publicKey]);
    using module = place.registry.loadBytes("m", both);
    assertEquals(valueOf(module), 4);
  }
});

Deno.test("wrong keys are an error of the registry's constructor", () => {
  const make = (trust: unknown) => () => new ModuleRegistry({ trust } as ModuleRegistryOptions);
  for (const trust of [{}, { keys: KEY.publicKey }, { keys: [1] }, { keys: [], key: "" }, null, "x"]) {
    const error = assertThrows(make(trust), TypeError);
    assertStringIncludes(error.message, "option 'trust' is");
  }
  assertEquals(assertThrows(make({ keys: [] }), LoadError).kind, "InvalidKey");
  assertEquals(assertThrows(make({ keys: ["x"] }), LoadError).kind, "InvalidKey");
  assert(make(undefined)() instanceof ModuleRegistry);
});
