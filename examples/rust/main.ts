/**
 * Rust with its standard library: a word counter that any thread may call, and
 * a rule, a module of its own, that is replaced while the counter goes on.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=rustc examples/rust/main.ts
 *
 * Compiles `rust/words.rs` and `rust/rule.rs`; without rustc the modules that
 * are committed beside them are used. `rust/build.ts` makes those.
 */

import { ModuleRegistry } from "@simple/loader";
import { build, moduleOf } from "./build.ts";

/** What Rust needs of the system. */
const LIBRARIES = ["libgcc_s.so.1", "libm.so.6", "libc.so.6"];

const TEXTS = [
  "The cat saw the dog. The dog saw the bird.",
  "A bird saw THE CAT; the cat ran.",
  "THE END of the bird",
];

async function main(): Promise<void> {
  const [words, firstRule, secondRule] = ["words", "rule_v1", "rule_v2"].map((name) =>
    build(name) ?? Deno.readFileSync(moduleOf(name))
  );
  await using registry = new ModuleRegistry({ libraries: LIBRARIES });
  registry.loadBytes("rule", firstRule);
  const counter = registry.loadBytes("words", words).bind({
    count_words: { parameters: ["buffer", "usize"], result: "u32", nonblocking: true },
    most_frequent: { parameters: ["u32", "buffer", "usize"], result: "usize" },
  });
  const countAll = async (): Promise<void> => {
    // On several threads at once.
    const counts = await Promise.all(TEXTS.map((text) => {
      const bytes = new TextEncoder().encode(text);
      return counter.symbols.count_words(bytes, BigInt(bytes.length));
    }));
    console.log(`  ${counts.reduce((sum, count) => sum + count)} words more: ${mostFrequent()}`);
  };
  const mostFrequent = (): string => {
    const out = new Uint8Array(256);
    const length = counter.symbols.most_frequent(5, out, BigInt(out.length));
    return new TextDecoder().decode(out.subarray(0, Number(length)));
  };

  console.log("The rule as it began");
  await countAll();
  const { version } = registry.reload("rule", { bytes: secondRule });
  console.log(`The rule in version ${version}: case makes no difference any more`);
  await countAll();
}

if (Deno.build.os === "linux" && Deno.build.arch === "x86_64") await main();
else console.log("The modules of this example are for Linux on x86-64: nothing to show");
