// Integrity, from the options of load and reload down to what is mapped.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { integrityOf, type LoadError, type LoadErrorKind, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { ANSWER } from "../support/modules.ts";
import {
  addModule,
  assertLoadError,
  checkLoadError,
  TemporaryDirectory,
  WatchedAllocator,
} from "../support/testing.ts";
import { version } from "../support/versions.ts";

const answering = (answer: number): Uint8Array => version({ functions: { value: answer } });
const [ONE, TWO] = [answering(1), answering(2)];
const [IS_ONE, IS_TWO] = [integrityOf(ONE), integrityOf(TWO)];

/** A registry on a directory; disposing asserts that all memory is freed. */
class Place implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly allocator = new WatchedAllocator();
  readonly registry = new ModuleRegistry({ allocator: this.allocator });
  readonly loader = new ModuleLoader({ allocator: this.allocator });
  readonly path = this.directory.file("m.smf", ONE);

  /** Asserts that `work` fails with an error of this kind, and allocates nothing. */
  refuses(work: () => unknown, kind: LoadErrorKind): LoadError {
    const before = this.allocator.nearby.length;
    const error = assertLoadError(work, kind, { path: this.path });
    assertEquals(this.allocator.nearby.length, before, "nothing is mapped for what is refused");
    return error;
  }

  [Symbol.dispose](): void {
    this.registry[Symbol.dispose]();
    this.directory[Symbol.dispose]();
    assertEquals(this.allocator.live.size, 0);
  }
}

const valueOf = (module: ReturnType<ModuleRegistry["load"]>) => module.getFunction("value", ANSWER)!();

Deno.test("a module with the right integrity loads, by every way", async () => {
  using place = new Place();
  const { registry, loader, path } = place;
  const options = { integrity: IS_ONE };
  using a = loader.load(path, undefined, options);
  using b = await loader.loadAsync(path, undefined, options);
  using c = loader.loadBytes(ONE, undefined, options);
  using d = registry.loadBytes("bytes", ONE, options);
  using e = await registry.loadAsync(path, options);
  using f = registry.load(path, options);
  using live = registry.open(path, { value: ANSWER }, options);
  assertEquals([a, b, c, d, e, f].map(valueOf), [1, 1, 1, 1, 1, 1]);
  assertEquals(live.symbols.value(), 1);
});

for (
  const [kind, integrity] of [["IntegrityMismatch", IS_TWO], ["InvalidIntegrity", "sha256-short"]] as const
) {
  Deno.test(`${kind}, by every way, before anything is mapped`, async () => {
    using place = new Place();
    const { registry, loader, path } = place;
    const options = { integrity };
    place.refuses(() => loader.load(path, undefined, options), kind);
    place.refuses(() => loader.loadBytes(ONE, undefined, { ...options, name: path }), kind);
    place.refuses(() => registry.load(path, options), kind);
    place.refuses(() => registry.loadBytes(path, ONE, options), kind);
    place.refuses(() => registry.open(path, { value: ANSWER }, options), kind);
    place.refuses(() => registry.reload(path, options), kind);
    checkLoadError(await assertRejects(() => loader.loadAsync(path, undefined, options)), kind, { path });
    checkLoadError(await assertRejects(() => registry.loadAsync(path, options)), kind, { path });
    assertEquals([registry.modules(), place.allocator.nearby], [[], []]);
    // The next attempt is not held back by the one that failed.
    assertEquals(valueOf(registry.load(path, { integrity: IS_ONE })), 1);
  });
}

Deno.test("a mismatch names what was expected and what is there", () => {
  using place = new Place();
  const { message, data } = place.refuses(
    () => place.loader.load(place.path, undefined, { integrity: IS_TWO }),
    "IntegrityMismatch",
  );
  assertEquals([data.expected, data.actual], [IS_TWO, IS_ONE]);
  for (const fact of [IS_ONE, IS_TWO, place.path]) assertStringIncludes(message, fact);
});

Deno.test("the bytes that are checked are those that are loaded, though a resolver changes file and bytes meanwhile", async () => {
  using place = new Place();
  const module = version({ functions: { value: 1, other: "elsewhere" } });
  const path = place.directory.file("imports.smf", module);
  const bytes = module.slice();
  const options = { integrity: integrityOf(module) };
  await using provider = new ModuleLoader().loadBytes(addModule());
  using lease = provider.addressOf("add")!;
  const resolver = () => {
    Deno.writeFileSync(path, bytes.fill(0));
    return lease.address;
  };
  using fromFile = place.loader.load(path, resolver, options);
  bytes.set(module);
  using fromBytes = place.loader.loadBytes(bytes, resolver, options);
  assert(bytes.every((byte) => byte === 0), "the resolver was asked");
  assertEquals([fromFile, fromBytes].map(valueOf), [1, 1]);
});

Deno.test("a handle on a loaded module is checked against the hash from when it was loaded", () => {
  using place = new Place();
  const { registry, path } = place;
  registry.load(path, { integrity: IS_ONE });
  // The file has changed; what is loaded has not.
  Deno.writeFileSync(path, TWO);
  assertEquals(valueOf(registry.load(path, { integrity: IS_ONE })), 1);
  place.refuses(() => registry.load(path, { integrity: IS_TWO }), "IntegrityMismatch");
  place.refuses(() => registry.open(path, { value: ANSWER }, { integrity: IS_TWO }), "IntegrityMismatch");
  place.refuses(() => registry.load(path, { integrity: integrityOf(ONE, "sha512") }), "IntegrityMismatch");
  place.refuses(() => registry.load(path, { integrity: "" }), "InvalidIntegrity");
  assertEquals(valueOf(registry.load(path)), 1);
});

Deno.test("a module that was loaded unchecked does not pass an integrity check later", () => {
  using place = new Place();
  place.registry.load(place.path);
  place.refuses(() => place.registry.load(place.path, { integrity: IS_ONE }), "IntegrityMismatch");
});

Deno.test("concurrent callers get the bytes that each expects, and no error of another caller", async () => {
  using place = new Place();
  const { registry, path } = place;
  const asked = [IS_TWO, IS_ONE, undefined, IS_ONE, "nonsense"].map((integrity) =>
    registry.loadAsync(path, integrity === undefined ? {} : { integrity })
  );
  const [wrong, right, any, again, malformed] = await Promise.allSettled(asked);
  assert(wrong.status === "rejected" && malformed.status === "rejected");
  checkLoadError(wrong.reason, "IntegrityMismatch", { path });
  checkLoadError(malformed.reason, "InvalidIntegrity", { path });
  assert(any.status === "fulfilled");
  // Callers that expect the right bytes share one load; the checked or the unchecked load may come first.
  assertEquals(right.status, again.status);
  if (right.status === "rejected") checkLoadError(right.reason, "IntegrityMismatch", { path });
  assertEquals(registry.modules().length, 1);
});

Deno.test("a reload is checked, and a wrong one leaves the old version", () => {
  using place = new Place();
  const { registry, path } = place;
  using live = registry.open(path, { value: ANSWER }, { integrity: IS_ONE });
  Deno.writeFileSync(path, TWO);
  place.refuses(() => registry.reload(path, { integrity: IS_ONE }), "IntegrityMismatch");
  place.refuses(() => registry.reload(path, { bytes: ONE, integrity: IS_TWO }), "IntegrityMismatch");
  assertEquals(live.symbols.value(), 1);
  assertEquals(registry.reload(path, { integrity: IS_TWO }).version, 2);
  assertEquals(live.symbols.value(), 2);
  assertEquals(registry.reload(path, { bytes: ONE, integrity: IS_ONE }).version, 3);
  assertEquals(live.symbols.value(), 1);
});

Deno.test("a module that was checked is replaced by checked ones only", () => {
  using place = new Place();
  const { registry, path } = place;
  using live = registry.open(path, { value: ANSWER }, { integrity: IS_ONE });
  Deno.writeFileSync(path, TWO);
  place.refuses(() => registry.reload(path), "IntegrityMismatch");
  place.refuses(() => registry.reload(path, { bytes: ONE }), "IntegrityMismatch");
  place.refuses(() => registry.reloadAll([path]), "IntegrityMismatch");
  assertEquals(live.symbols.value(), 1);
  // A rollback goes to a checked version, and a module that was unloaded is loaded as a new one.
  registry.reload(path, { integrity: IS_TWO });
  assertEquals(registry.rollback(path).version, 1);
  registry.unload(path, { force: true });
  assertEquals(valueOf(registry.load(path)), 2);
});

Deno.test("a rollback from a checked version goes to checked versions only", () => {
  using place = new Place();
  const { registry, path } = place;
  using live = registry.open(path, { value: ANSWER });
  registry.reload(path, { bytes: TWO, integrity: IS_TWO });
  const error = place.refuses(() => registry.rollback(path), "IntegrityMismatch");
  assertStringIncludes(error.hint, "`integrity`");
  assertEquals(live.symbols.value(), 2);
  assertEquals(registry.versions(path).map(({ current }) => current), [false, true]);
  // Checked versions on both sides, and unchecked ones on both sides, can be exchanged.
  registry.reload(path, { bytes: ONE, integrity: IS_ONE });
  assertEquals(registry.rollback(path).version, 2);
  registry.loadBytes("unchecked", ONE);
  registry.reload("unchecked", { bytes: TWO });
  assertEquals(valueOf(registry.rollback("unchecked")), 1);
});

Deno.test("a watch reports an unchecked change of a checked module as failed", async () => {
  using place = new Place();
  const { registry, path } = place;
  using live = registry.open(path, { value: ANSWER }, { integrity: IS_ONE });
  const events = registry.watch({ debounce: 5, force: true });
  Deno.writeFileSync(path, TWO);
  const { value: event } = await events.next();
  await events.return();
  assert(event?.kind === "failed");
  checkLoadError(event.error, "IntegrityMismatch", { path });
  assertEquals(live.symbols.value(), 1);
});

Deno.test("an empty file has an integrity too, and is not a module", () => {
  using place = new Place();
  const path = place.directory.file("empty.smf");
  const empty = { integrity: integrityOf(new Uint8Array(0)) };
  assertLoadError(() => place.loader.load(path, undefined, empty), "InvalidFormat", { path });
  assertLoadError(() => place.loader.load(path, undefined, { integrity: IS_ONE }), "IntegrityMismatch", {
    path,
  });
});
