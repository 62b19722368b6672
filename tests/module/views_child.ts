/**
 * Uses views of modules that have ended, in one way or another; what is wrong ends
 * the process by a signal.
 */
import { type LoadedModule, ModuleLoader } from "../../mod.ts";
import { build, turn, word } from "../support/modules.ts";
import { until } from "../support/workers.ts";
import { isMapped } from "../support/process_state.ts";
import { WatchedAllocator } from "../support/testing.ts";

const collect = (globalThis as unknown as { gc?(): void }).gc;
const bytes = build({
  routines: { nothing: { hex: "c3" } },
  data: { counter: word(40n), grid: new Uint8Array(8192) },
});

function sum(numbers: Float64Array): number {
  let result = 0;
  for (let index = 0; index < numbers.length; index++) result += numbers[index];
  return result;
}

const POINT = { type: { struct: { x: "f64", n: "i32" } }, count: 512 } as const;

function xs(points: readonly { x: number }[]): number {
  let result = 0;
  for (const point of points) result += point.x;
  return result;
}

function late(): void {
  let wrong = 0;
  for (let round = 0; round < 300; round++) {
    const module = new ModuleLoader().loadBytes(bytes);
    const grid = module.view("grid", { type: "f64" });
    const part = grid.subarray(10);
    const points = module.view("grid", POINT);
    const { symbols } = module.bind({ counter: { type: "i64" } });
    grid.fill(1);
    for (let again = 0; again < 20; again++) if (sum(grid) !== 1024 || xs(points) !== 512) wrong++;
    if (symbols.counter !== 40n) wrong++;
    const { address } = module.dataMemory;
    module.close();
    if (isMapped(address)) wrong++;
    if (sum(grid) !== 0 || sum(part) !== 0 || grid[5] !== undefined) wrong++;
    grid[5] = 3;
    for (
      const access of [() => xs(points), () => points[3].n = 4, () => grid.fill(2), () => symbols.counter]
    ) {
      try {
        access();
        wrong++;
      } catch {
        // As it should be.
      }
    }
    if (round % 50 === 0) collect!();
  }
  console.log(`300 rounds, ${wrong} wrong`);
}

async function garbage(): Promise<void> {
  const allocator = new WatchedAllocator();
  const loader = new ModuleLoader({ allocator });
  let views: Float64Array[] = [];
  const open = (): void => {
    for (let index = 0; index < 3; index++) {
      const view = loader.loadBytes(bytes).view("grid", { type: "f64" });
      view[0] = 4;
      // Only a part of the view is kept, whose buffer is all that leads to the version.
      views.push(view.subarray(0, 2));
    }
  };
  open();
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 10; round++) {
      collect!();
      await turn();
    }
  };
  await settle();
  const kept = allocator.live.size;
  const total = views.reduce((total, [first]) => total + first, 0);
  views = [];
  await settle();
  console.log(JSON.stringify({ kept, sum: total, left: allocator.live.size }));
}

function workerOf(source: string): Worker {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  return new Worker(url, { type: "module" });
}

async function moved(): Promise<void> {
  const worker = workerOf(`
    let words;
    onmessage = ({ data }) => { words ??= data; postMessage(Number(words[0])); };
  `);
  const answer = (message: unknown, transfer: Transferable[]): Promise<unknown> => {
    worker.postMessage(message, transfer);
    return new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  };
  const module = new ModuleLoader().loadBytes(bytes);
  const open = (): Promise<unknown> => {
    const view = module.view("counter", { type: "i64" });
    return answer(view, [view.buffer]);
  };
  const before = await open();
  collect!();
  await turn();
  collect!();
  module.close();
  console.log(`moved: ${before} after close: ${await answer(undefined, [])}`);
  worker.terminate();
}

async function inWorker(): Promise<void> {
  const worker = workerOf(`
    import { LoadedModule } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
    let view;
    onmessage = ({ data: { token, flag } }) => {
      const flags = new Int32Array(flag);
      if (token !== undefined) {
        view = LoadedModule.attach(token).view("grid", { type: "f64" });
        Atomics.store(flags, 0, 1);
        // Reads without a turn, until some time after the owner has closed.
        while (Atomics.load(flags, 1) === 0 && view[7] === 7);
        const end = performance.now() + 50;
        let isRight = true;
        while (performance.now() < end) isRight &&= view[7] === 7;
        setTimeout(() => postMessage(isRight), 0);
      } else postMessage(view.length === 0 && view[7] === undefined);
    };
  `);
  const flag = new SharedArrayBuffer(8);
  const flags = new Int32Array(flag);
  const answer = (): Promise<unknown> =>
    new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  const module: LoadedModule = new ModuleLoader().loadBytes(bytes);
  module.view("grid", { type: "f64" })[7] = 7;
  const first = answer();
  worker.postMessage({ token: module.share(), flag });
  await until(() => Atomics.load(flags, 0) === 1);
  const closing = module.closeAsync();
  Atomics.store(flags, 1, 1);
  const busy = await first;
  await closing;
  const second = answer();
  worker.postMessage({ flag });
  console.log(`busy read: ${busy} detached: ${await second}`);
  worker.terminate();
}

switch (Deno.args[0]) {
  case "late":
    late();
    break;
  case "garbage":
    await garbage();
    break;
  case "moved":
    await moved();
    break;
  default:
    await inWorker();
}
