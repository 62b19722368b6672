// What a listener hears of a registry.
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry, type TraceEvent } from "../../mod.ts";
import { HeaderFlag } from "../../src/smf/mod.ts";
import { importerModule, TemporaryDirectory } from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

const answering = (answer: number) =>
  version({ functions: { answer }, data: { total: [0n] }, flags: HeaderFlag.Reloadable });

/** A registry, and what it tells. */
class Heard implements Disposable {
  readonly events: TraceEvent[] = [];
  readonly registry = new ModuleRegistry({ onTrace: (event) => this.events.push(event) });

  /** The events since the last call. */
  take(): TraceEvent[] {
    return this.events.splice(0);
  }

  [Symbol.dispose](): void {
    this.registry[Symbol.dispose]();
  }
}

const kinds = (events: readonly TraceEvent[]) => events.map(({ kind }) => kind);

Deno.test("a load is told step by step, with the module and its version", () => {
  using heard = new Heard();
  const bytes = answering(7);
  heard.registry.loadBytes("a", bytes);
  const events = heard.take();
  assertEquals(kinds(events), ["read", "place", "relocate", "start"]);
  for (const { path, version } of events) assertEquals([path, version], ["a", 1]);
  const [read, place] = events;
  assert(read.kind === "read" && read.size === bytes.length && read.milliseconds >= 0);
  const [{ versions: [{ address, size }] }] = heard.registry.inspect().modules;
  assert(place.kind === "place" && place.address === address && place.size === size);
});

Deno.test("each import is told with the source that answers, and who holds whom", () => {
  using heard = new Heard();
  heard.registry.loadBytes("provider", version({ functions: { twice: 2 } }));
  heard.take();
  heard.registry.loadBytes("importer", importerModule(["twice"]));
  const events = heard.take();
  assert(events.some((event) => event.kind === "hold" && event.path === "provider"));
  const resolved = events.flatMap((event) => event.kind === "resolve" ? [event] : []);
  assertEquals(resolved.map(({ path, name, from }) => [path, name, from]), [
    ["importer", "twice", "module 'provider'"],
  ]);
  assert(resolved[0].address !== 0n);
});

Deno.test("binding is told, and the fast call that follows the first calls", () => {
  using heard = new Heard();
  const module = heard.registry.loadBytes("a", answering(7));
  heard.take();
  const answer = module.getFunction("answer", INT)!;
  const [bound] = heard.take();
  assert(bound.kind === "bind" && bound.name === "answer");
  for (let call = 0; call < 20; call++) assertEquals(answer(), 7);
  const isFast = module.callPaths().every(({ path }) => path === "fast");
  assertEquals(kinds(heard.take()), isFast ? ["promote"] : []);
});

Deno.test("reloads are told step by step, and what keeps and frees a version", async () => {
  const heard = new Heard();
  {
    await using module = heard.registry.loadBytes("a", answering(1));
    using lease = module.addressOf("answer")!;
    assert(lease.address !== 0n);
    heard.take();
    await using _next = heard.registry.reload("a", { bytes: answering(2), state: "carry" });
    const steps = heard.take().flatMap((event) => event.kind === "reload" ? [event] : []);
    assertEquals(steps.map(({ step, version }) => `${step} ${version}`), [
      "check 2",
      "carry 2",
      "verify 2",
      "commit 2",
      "drain 2",
    ]);
  }
  await heard.registry[Symbol.asyncDispose]();
  const ends = heard.take().filter(({ kind }) => kind === "release" || kind === "free");
  assert(ends.some(({ kind, version }) => kind === "release" && version === 1));
  assertEquals(ends.filter(({ kind }) => kind === "free").map(({ version }) => version).sort(), [1, 2]);
});

Deno.test("a watch tells what it noticed", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.smf", answering(1));
  using heard = new Heard();
  heard.registry.load(path);
  heard.take();
  const stop = new AbortController();
  const watch = heard.registry.watch({ debounce: 10, signal: stop.signal });
  const next = watch.next();
  directory.file("a.smf", answering(2));
  assertEquals((await next).value?.kind, "reloaded");
  assertEquals(kinds(heard.take())[0], "watch");
  stop.abort();
  await watch.return();
});

Deno.test("what a listener throws does not reach the operation", async () => {
  const thrown = Promise.withResolvers<unknown>();
  const caught = (event: ErrorEvent): void => {
    event.preventDefault();
    thrown.resolve(event.error);
  };
  globalThis.addEventListener("error", caught, { once: true });
  const mistake = new Error("a mistake of the listener");
  let isFirst = true;
  const onTrace = () => {
    if (!isFirst) return;
    isFirst = false;
    throw mistake;
  };
  using registry = new ModuleRegistry({ onTrace });
  assertEquals(registry.loadBytes("a", answering(3)).getFunction("answer", INT)!(), 3);
  assertEquals(await thrown.promise, mistake);
});
