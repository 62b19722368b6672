/**
 * Drops things of one kind without disposing of them, collects garbage as a
 * program would, and prints how much memory is left. Needs `--v8-flags=--expose-gc`.
 */
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { FailingAllocator } from "../support/failing_allocator.ts";
import { ANSWER, answering, importing, warm } from "../support/modules.ts";
import { TemporaryDirectory } from "../support/testing.ts";
import { version } from "../support/versions.ts";

const collect = (globalThis as unknown as { gc(): void }).gc;
const allocator = new FailingAllocator();
const COUNT = 10;

function registry(options = {}): ModuleRegistry {
  return new ModuleRegistry({ allocator, ...options });
}

using directory = new TemporaryDirectory();
const circle = [["a", "b"], ["b", "a"]].map(([own, other]) =>
  directory.file(
    `${own}.smf`,
    version({
      functions: { [own]: 1, [`to_${own}`]: other },
      data: { [`word_${own}`]: [1n], [`pointer_${own}`]: [`word_${other}`] },
    }),
  )
);

/** What one round makes and drops; the result is kept until everything else was collected. */
const SCENARIOS: Readonly<Record<string, (index: number) => unknown>> = {
  "registries": () => {
    registry().loadBytes("m", answering(1));
  },
  "registries with functions in use": () => {
    warm(registry().loadBytes("m", answering(1)).getFunction("value", ANSWER)!);
  },
  "registries with importers and providers": () => {
    const made = registry();
    made.loadBytes("c", answering(1));
    made.loadBytes("b", importing("value", "middle"));
    made.loadBytes("a", importing("middle")).getFunction("ask", ANSWER)!();
  },
  "registries with modules that import from each other": () => {
    const made = registry();
    made.loadAll(circle)[0].getFunction("to_a", ANSWER)!();
  },
  "registries with modules that import from each other, reloaded": () => {
    const made = registry();
    made.loadAll(circle);
    for (const path of circle) made.reload(path);
    made.reloadAll(circle);
  },
  "registries with variables that are kept": () => {
    const made = registry({ keepVersions: 1 });
    const kept = (number: number) =>
      version({ functions: { answer: number }, data: { word: [1n], pointer: ["word"] }, homes: true });
    made.loadBytes("m", kept(1));
    for (let number = 2; number < 6; number++) made.reload("m", { bytes: kept(number), state: "keep" });
    made.rollback("m", { state: "keep" });
  },
  "registries with versions that are kept": () => {
    const made = registry({ keepVersions: 3 });
    made.loadBytes("m", answering(1));
    made.reload("m", { bytes: answering(2) });
    made.reload("m", { bytes: answering(3) });
    made.rollback("m");
  },
  "registries with live libraries": () => {
    const made = registry();
    made.loadBytes("m", answering(1));
    made.open("m", { value: ANSWER }).symbols.value();
    made.reload("m", { bytes: answering(2) });
  },
  "registries with callbacks": () => {
    const made = registry({ imports: { value: { ...ANSWER, callback: () => 41 } } });
    made.loadBytes("m", importing("value")).getFunction("ask", ANSWER)!();
  },
  "members of circles": () => {
    const [a] = registry().loadAll(circle);
    return { value: a.getFunction("to_a", ANSWER)! };
  },
  "modules": () => {
    new ModuleLoader({ allocator }).loadBytes(answering(1)).getFunction("value", ANSWER)!();
  },
  "live libraries": () => {
    const made = registry();
    made.loadBytes("m", answering(1));
    const functions = made.open("m", { value: ANSWER }).symbols;
    made.unload("m");
    return functions;
  },
  "handles": () => registry().loadBytes("m", answering(1)),
};

const [scenario] = Deno.args;
let kept: unknown[] = [];
for (let index = 0; index < COUNT; index++) kept.push(SCENARIOS[scenario](index));
const keeps = kept[0] !== undefined;

async function settle(): Promise<void> {
  for (let round = 0; round < 20 && allocator.live.size > 0; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
let held = true;
if (keeps) {
  await settle();
  const answers = kept.map((it) =>
    "value" in (it as object)
      ? (it as { value(): number }).value()
      : (it as { getFunction(name: string, definition: typeof ANSWER): () => number }).getFunction(
        "value",
        ANSWER,
      )()
  );
  held = answers.every((answer) => answer === 1);
}
kept = [];
await settle();
console.log(JSON.stringify({ held, left: allocator.live.size }));
