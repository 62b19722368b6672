import { assertEquals } from "@std/assert";
import { abandon, defer, retryDeferred } from "../../../src/os/memory/deferred_release.ts";

/** A resource whose first `failures` disposals fail. */
class Stubborn implements Disposable {
  attempts = 0;
  constructor(public failures: number) {}

  [Symbol.dispose](): void {
    this.attempts++;
    if (this.failures-- > 0) throw new Error("refused");
  }
}

Deno.test("abandon disposes at once, and only once", () => {
  const easy = new Stubborn(0);
  abandon(easy);
  retryDeferred();
  assertEquals(easy.attempts, 1);
});

Deno.test("a failed release is retried until it succeeds, and not after that", () => {
  const hard = new Stubborn(2);
  abandon(hard);
  assertEquals(hard.attempts, 1);
  retryDeferred();
  assertEquals(hard.attempts, 2);
  retryDeferred();
  retryDeferred();
  assertEquals(hard.attempts, 3);
});

Deno.test("a resource that is deferred twice is tried once at each retry", () => {
  const rest = new Stubborn(1);
  defer(rest);
  defer(rest);
  retryDeferred();
  assertEquals(rest.attempts, 1);
  retryDeferred();
  assertEquals(rest.attempts, 2);
});

Deno.test("a nested retry does nothing, and one failure does not stop the others", () => {
  const order: string[] = [];
  const first = new Stubborn(1);
  defer(first);
  defer({
    [Symbol.dispose]: () => {
      order.push("second");
      retryDeferred();
    },
  });
  defer({ [Symbol.dispose]: () => void order.push("third") });
  retryDeferred();
  assertEquals([order, first.attempts], [["second", "third"], 1]);
  retryDeferred();
  assertEquals(first.attempts, 2);
});
