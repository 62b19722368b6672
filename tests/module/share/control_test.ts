import { assert, assertEquals } from "@std/assert";
import { Attachment, type AttachmentEvents } from "../../../src/module/share/attachment.ts";
import { ControlOwner } from "../../../src/module/share/control.ts";
import { isSettled, TestWorker, until } from "../../support/workers.ts";

/** An owner that keeps the test's event loop alive, as somebody who awaits the end makes it do. */
function waitingOwner(): ControlOwner {
  const owner = new ControlOwner();
  owner.keepProcessAlive();
  return owner;
}

function attach(owner: ControlOwner, events: Partial<AttachmentEvents> = {}): Attachment {
  const result = Attachment.attach(owner.buffer, {
    revoked: () => {},
    callsInFlight: () => undefined,
    ...events,
  });
  assert(result instanceof Attachment, String(result));
  return result;
}

function revoked(owner: ControlOwner): Promise<void> {
  return new Promise((resolve) => owner.revoke(resolve));
}

function drained(owner: ControlOwner): Promise<void> {
  return new Promise((resolve) => owner.advance(resolve));
}

async function attachedWorker(owner: ControlOwner): Promise<TestWorker> {
  const worker = new TestWorker();
  assertEquals(await worker.ask({ kind: "attach", control: owner.buffer }), "attached");
  return worker;
}

function flag(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

Deno.test("a revoked module without attachments can go at once", async () => {
  const owner = waitingOwner();
  await revoked(owner);
  assertEquals(owner.attachments(), 0);
});

Deno.test("an attachment counts until it leaves, and leaving twice counts once", () => {
  const owner = waitingOwner();
  const first = attach(owner);
  const second = attach(owner);
  assertEquals(owner.attachments(), 2);
  first.leave();
  first.leave();
  assertEquals(owner.attachments(), 1);
  second.leave();
  assertEquals(owner.attachments(), 0);
});

Deno.test("a record is used again, and its former isolate cannot free it a second time", () => {
  const owner = waitingOwner();
  const first = attach(owner);
  first.leave();
  const second = attach(owner);
  first.leave();
  assertEquals(owner.attachments(), 1);
  second.leave();
});

Deno.test("revoking tells every attachment once, in the event loop, and waits until all have left", async () => {
  const owner = waitingOwner();
  const told: number[] = [];
  const attachments = [0, 1, 2].map((index) => attach(owner, { revoked: () => told.push(index) }));
  const left = revoked(owner);
  assertEquals(told, [], "not while native code may be running");
  await until(() => told.length === 3);
  assertEquals(told.toSorted(), [0, 1, 2]);
  attachments[0].leave();
  attachments[1].leave();
  assertEquals(await isSettled(left), false);
  attachments[2].leave();
  await left;
});

Deno.test("an attachment that stays after it was told is rung again, and not told again", async () => {
  const owner = waitingOwner();
  let told = 0;
  const attachment = attach(owner, { revoked: () => told++ });
  const left = revoked(owner);
  // Rings come after 8, 16 and 32 milliseconds.
  assertEquals(await isSettled(left, 100), false);
  await until(() => told > 0);
  assertEquals(told, 1);
  attachment.leave();
  await left;
});

Deno.test("attaching to a revoked module is refused", async () => {
  const owner = waitingOwner();
  await revoked(owner);
  const events = { revoked: () => {}, callsInFlight: () => undefined };
  assertEquals(Attachment.attach(owner.buffer, events), "revoked");
  assertEquals(owner.attachments(), 0);
});

Deno.test("1024 isolates can be attached; the next one gets the answer full", () => {
  const owner = waitingOwner();
  const all = Array.from({ length: 1024 }, () => attach(owner));
  const events = { revoked: () => {}, callsInFlight: () => undefined };
  assertEquals(Attachment.attach(owner.buffer, events), "full");
  all[500].leave();
  const late = attach(owner);
  assertEquals(owner.attachments(), 1024);
  for (const attachment of [...all, late]) attachment.leave();
  assertEquals(owner.attachments(), 0);
});

Deno.test("an epoch has passed when every attachment has returned to its event loop", async () => {
  const owner = waitingOwner();
  const attachment = attach(owner);
  let done = false;
  const epoch = drained(owner).then(() => done = true);
  assertEquals(done, false);
  await epoch;
  attachment.leave();
});

Deno.test("an epoch waits for nonblocking calls that were in flight, not for later ones", async () => {
  const owner = waitingOwner();
  const early = Promise.withResolvers<void>();
  let out: Promise<unknown> | undefined = early.promise;
  const attachment = attach(owner, { callsInFlight: () => out });
  attachment.setInFlight(1);
  const epoch = drained(owner);
  assertEquals(await isSettled(epoch), false);
  out = Promise.withResolvers<void>().promise;
  early.resolve();
  await epoch;
  attachment.leave();
});

Deno.test("an epoch does not wait for isolates that attach after it began", async () => {
  const owner = waitingOwner();
  const slow = Promise.withResolvers<void>();
  const first = attach(owner, { callsInFlight: () => slow.promise });
  const epoch = drained(owner);
  const late = attach(owner, { callsInFlight: () => new Promise(() => {}) });
  assertEquals(await isSettled(epoch), false);
  slow.resolve();
  await epoch;
  first.leave();
  late.leave();
});

Deno.test("many epochs pass in one turn", async () => {
  const owner = waitingOwner();
  const attachment = attach(owner);
  await Promise.all(Array.from({ length: 300 }, () => drained(owner)));
  attachment.leave();
});

Deno.test("calls in flight are summed over all attachments, and leave with them", () => {
  const owner = waitingOwner();
  const first = attach(owner);
  const second = attach(owner);
  first.setInFlight(2);
  second.setInFlight(3);
  assertEquals(owner.callsInFlight(), 5);
  first.leave();
  assertEquals(owner.callsInFlight(), 3);
  const third = attach(owner);
  assertEquals(owner.callsInFlight(), 3, "a new record begins with none");
  second.leave();
  third.leave();
});

Deno.test("an attachment that has left does not write to the record of its successor", () => {
  const owner = waitingOwner();
  const first = attach(owner);
  first.leave();
  const second = attach(owner);
  second.setInFlight(1);
  first.setInFlight(7);
  assertEquals(owner.callsInFlight(), 1);
  second.leave();
});

Deno.test("a Worker learns that the module is revoked and leaves", async () => {
  const owner = waitingOwner();
  using _worker = await attachedWorker(owner);
  assertEquals(owner.attachments(), 1);
  await revoked(owner);
  assertEquals(owner.attachments(), 0);
});

for (
  const [how, end] of [
    ["was terminated while it was idle", (worker: TestWorker) => worker.terminate()],
    ["closed itself", (worker: TestWorker) => worker.send({ kind: "close" })],
    ["ended by an uncaught error", async (worker: TestWorker) => {
      worker.send({ kind: "throw" });
      await worker.failed;
    }],
  ] as const
) {
  Deno.test(`a Worker that ${how} holds nothing`, async () => {
    const owner = waitingOwner();
    using worker = await attachedWorker(owner);
    await end(worker);
    await revoked(owner);
    assertEquals(owner.attachments(), 0);
  });
}

Deno.test("a busy Worker is awaited, and found dead once it is terminated", async () => {
  const owner = waitingOwner();
  using worker = await attachedWorker(owner);
  const stop = flag();
  assertEquals(await worker.ask({ kind: "busy", word: stop.buffer }), "busy");
  const left = revoked(owner);
  assertEquals(await isSettled(left, 200), false);
  worker.terminate();
  // Deno lets a busy Worker run on until its loop ends.
  assertEquals(owner.attachments(), 1);
  Atomics.store(stop, 0, 1);
  await left;
});

Deno.test("a busy Worker that is rung again and again is not taken for dead, and answers", async () => {
  const owner = waitingOwner();
  using worker = await attachedWorker(owner);
  const stop = flag();
  assertEquals(await worker.ask({ kind: "busy", word: stop.buffer }), "busy");
  const epochs: Promise<void>[] = [];
  for (let round = 0; round < 50; round++) {
    for (let ring = 0; ring < 20; ring++) epochs.push(drained(owner));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assertEquals(owner.attachments(), 1);
  assertEquals(await isSettled(Promise.any(epochs)), false, "it may be running native code");
  Atomics.store(stop, 0, 1);
  await Promise.all(epochs);
  assertEquals(owner.attachments(), 1);
  await revoked(owner);
});

Deno.test("a Worker that was rung very often while busy is still found dead afterwards", async () => {
  const owner = waitingOwner();
  using worker = await attachedWorker(owner);
  const stop = flag();
  assertEquals(await worker.ask({ kind: "busy", word: stop.buffer }), "busy");
  const epochs = Array.from({ length: 500 }, () => drained(owner));
  worker.terminate();
  Atomics.store(stop, 0, 1);
  await Promise.all(epochs);
  assertEquals(owner.attachments(), 0);
});

Deno.test("a Worker that died with a nonblocking call in flight counts no more, and leaves a note", async () => {
  const owner = waitingOwner();
  const worker = await attachedWorker(owner);
  assertEquals(await worker.ask({ kind: "in flight", count: 1 }), "counted");
  assertEquals([owner.callsInFlight(), owner.hasLostCalls], [1, false]);
  worker.terminate();
  // A Worker lives on for a moment; if it heard of the end, it would leave by itself.
  await until(() => owner.callsInFlight() === 0);
  await revoked(owner);
  assertEquals([owner.attachments(), owner.callsInFlight(), owner.hasLostCalls], [0, 0, true]);
});

Deno.test("asking for calls in flight finds dead Workers, though nobody awaits them", async () => {
  const owner = waitingOwner();
  using living = await attachedWorker(owner);
  const worker = await attachedWorker(owner);
  for (const one of [living, worker]) assertEquals(await one.ask({ kind: "in flight", count: 1 }), "counted");
  worker.terminate();
  await until(() => owner.callsInFlight() === 1);
  for (let asked = 0; asked < 200; asked++) owner.callsInFlight();
  assertEquals([owner.attachments(), owner.hasLostCalls], [1, true], "the living one is not taken for dead");
  assertEquals(await owner.callsDrained(), false);
  assertEquals(await living.ask({ kind: "leave" }), "left");
  assertEquals(await owner.callsDrained(), false, "the lost call may run for ever");
});

Deno.test("the record of a dead Worker is used again when all others are in use", async () => {
  const owner = waitingOwner();
  const worker = await attachedWorker(owner);
  const others = Array.from({ length: 1023 }, () => attach(owner));
  worker.terminate();
  const events = { revoked: () => {}, callsInFlight: () => undefined };
  let late: ReturnType<typeof Attachment.attach> = "full";
  await until(() => (late = Attachment.attach(owner.buffer, events)) !== "full");
  assertEquals(owner.attachments(), 1024);
  for (const attachment of [...others, late as unknown as Attachment]) attachment.leave();
});

Deno.test("Workers that attach while the owner revokes either learn of it or are refused", async () => {
  using workers = new DisposableStack();
  const all = Array.from({ length: 3 }, () => workers.use(new TestWorker()));
  for (let round = 0; round < 40; round++) {
    const owner = waitingOwner();
    const answers = all.map((worker) => worker.ask({ kind: "attach", control: owner.buffer }));
    if (round % 4 === 0) await answers[round % 3];
    else await new Promise((resolve) => setTimeout(resolve, round % 4));
    await revoked(owner);
    for (const answer of await Promise.all(answers)) assert(answer === "attached" || answer === "revoked");
    await until(() => owner.attachments() === 0);
  }
});

Deno.test("an isolate that dies while it attaches is not awaited for ever", async () => {
  const owner = waitingOwner();
  const words = new Int32Array(owner.buffer);
  const probe = attach(owner);
  const base = words.findIndex((word, index) => index >= 5 && word !== 0);
  probe.leave();
  // The record looks like that of an isolate that was terminated between claiming it and waiting on its bell.
  Atomics.store(words, base, Atomics.load(words, base) + 1);
  assertEquals(owner.attachments(), 1);
  const left = revoked(owner);
  assertEquals(await isSettled(left, 100), false);
  await left;
});

Deno.test("an owner without attached isolates starts no timers, which take long in Deno", async () => {
  const worker = new Worker(new URL("./timers_worker.ts", import.meta.url), { type: "module" });
  const looked = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
  worker.terminate();
  assertEquals(looked, []);
});
