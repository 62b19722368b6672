/**
 * Loads Rust with its standard library: a word counter that any thread may call,
 * and a rule in a module of its own, which a reload replaces under the counter.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=rustc examples/rust/main.ts
 *
 * It compiles `words.rs` and `rule.rs`. Without rustc it uses the modules beside
 * them, which `build.ts` made.
 */

import { ModuleRegistry } from "@simple/loader";
import { build, moduleOf } from "./build.ts";

/** The libraries that Rust needs. */
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
    // The calls are nonblocking, so they run on several threads at once.
    const counts = await Promise.all(TEXTS.map((text) => {
      const bytes = new TextEncoder().encode(text);
      return counter.symbols.count_words(bytes, BigInt(bytes.length));
    }));
    console.log(`  ${counts.reduce((sum, count) => sum + count)} more words: ${mostFrequent()}`);
  };
  const mostFrequent = (): string => {
    const out = new Uint8Array(256);
    const length = counter.symbols.most_frequent(5, out, BigInt(out.length));
    return new TextDecoder().decode(out.subarray(0, Number(length)));
  };

  console.log("The first rule");
  await countAll();
  const { version } = registry.reload("rule", { bytes: secondRule });
  console.log(`The rule in version ${version}: it ignores case`);
  await countAll();
}

if (Deno.build.os === "linux" && Deno.build.arch === "x86_64") await main();
else console.log("The modules of this example are for Linux on x86-64: nothing to show");
