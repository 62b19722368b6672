// Variables stay where they are on every platform: the compiled sample of this one, and modules of words.
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { FOLDER, TARGETS } from "../../../fixtures/build_platform.ts";
import { ModuleRegistry } from "../../../mod.ts";
import { nativeTest } from "../../support/modules.ts";
import { INT, version } from "../../support/versions.ts";

const HOST = `${Deno.build.os}-${Deno.build.arch}`;
const sample = (number: number) => Deno.readFileSync(fromFileUrl(new URL(`${HOST}_v${number}.smf`, FOLDER)));

Deno.test({
  name: "the C sample for this platform keeps its variables over 20 reloads and two rollbacks",
  // macOS has no fixture, since nobody could run its modules.
  ignore: !(HOST in TARGETS),
  fn() {
    using registry = new ModuleRegistry({
      imports: {
        host_value: { parameters: ["i32"], result: "i32", callback: (value: number) => value * 10 },
      },
      libraries: Deno.build.os === "windows" ? ["ucrtbase.dll", "kernel32.dll"] : ["libc.so.6"],
    });
    registry.loadBytes("sample", sample(1));
    const live = registry.open("sample", {
      version: INT,
      increment: { parameters: [], result: "i64" },
      remember: { parameters: ["u32", "i32"], result: "i32" },
      classify: { parameters: ["u32"], result: "i32" },
      start_mark: INT,
      counter: { type: "i64" },
    });
    const { symbols } = live;
    let counter = 40n;
    symbols.remember(7, 1);
    for (let round = 1; round <= 20; round++) {
      const number = round % 2 + 1;
      const module = registry.reload("sample", { bytes: sample(number), state: "keep" });
      const { kept, fresh } = module.carried!;
      module.close();
      assertEquals([kept.toSorted(), fresh], [["counter", "started", "zeroed"], []]);
      let current = number;
      if (round % 8 === 0) {
        registry.rollback("sample", { state: "keep" }).close();
        current = 3 - number;
      }
      assertEquals(symbols.version(), current);
      assertEquals(symbols.increment(), counter += BigInt(current));
      assertEquals(symbols.counter, counter);
      assertEquals(symbols.classify(0), 2 * Number(counter));
      assertEquals([symbols.classify(2), symbols.remember(7, round + 1)], [round, round]);
      // The initialisers of later versions ran on memory of their own.
      assertEquals(symbols.start_mark(), 101);
    }
    live.close();
  },
});

const words = (answer: number, data: Parameters<typeof version>[0]["data"]) =>
  version({ functions: { answer }, data: data!, homes: true });

nativeTest("words in fresh variables lead to what is kept", () => {
  using registry = new ModuleRegistry();
  const pointer = { type: "pointer" } as const;
  registry.loadBytes("m", words(1, { kept: [5n, 6n] }));
  const live = registry.open("m", { answer: INT, kept: pointer });
  const address = live.symbols.kept!;
  const module = registry.reload("m", {
    bytes: words(2, { added: ["kept", "kept+8", "kept+16", 7n], kept: [50n, 60n] }),
    state: "keep",
  });
  assertEquals(module.carried!.kept, ["kept"]);
  assertEquals(live.symbols.answer(), 2);
  const view = new Deno.UnsafePointerView(module.bind({ added: pointer }).symbols.added!);
  const first = Deno.UnsafePointer.value(address);
  assertEquals([0, 8, 16, 24].map((offset) => view.getBigUint64(offset)), [
    first,
    first + 8n,
    first + 16n,
    7n,
  ]);
  assertEquals(new Deno.UnsafePointerView(live.symbols.kept!).getBigUint64(8), 6n);
  module.close();
  live.close();
});
