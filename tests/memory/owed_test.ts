import { assertEquals } from "@std/assert";
import { abandon, owe, settleOwed } from "../../src/memory/owed.ts";

/** Something that can be disposed of only after so many failures. */
class Stubborn implements Disposable {
  attempts = 0;
  constructor(public failures: number) {}

  [Symbol.dispose](): void {
    this.attempts++;
    if (this.failures-- > 0) throw new Error("refused");
  }
}

Deno.test("what can be disposed of is so at once, and only once", () => {
  const easy = new Stubborn(0);
  abandon(easy);
  settleOwed();
  assertEquals(easy.attempts, 1);
});

Deno.test("what cannot is tried again until it can, and not after that", () => {
  const hard = new Stubborn(2);
  abandon(hard);
  assertEquals(hard.attempts, 1);
  settleOwed();
  assertEquals(hard.attempts, 2);
  settleOwed();
  settleOwed();
  assertEquals(hard.attempts, 3);
});

Deno.test("what is owed twice is tried once a time", () => {
  const rest = new Stubborn(1);
  owe(rest);
  owe(rest);
  settleOwed();
  assertEquals(rest.attempts, 1);
  settleOwed();
  assertEquals(rest.attempts, 2);
});

Deno.test("settling inside of settling does nothing, and one failure does not hold up the others", () => {
  const order: string[] = [];
  const first = new Stubborn(1);
  owe(first);
  owe({
    [Symbol.dispose]: () => {
      order.push("second");
      settleOwed();
    },
  });
  owe({ [Symbol.dispose]: () => void order.push("third") });
  settleOwed();
  assertEquals([order, first.attempts], [["second", "third"], 1]);
  settleOwed();
  assertEquals(first.attempts, 2);
});
