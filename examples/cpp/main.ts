/**
 * Runs C++ with the host's libstdc++: exceptions, strings and streams inside a
 * module, which a reload replaces while it is in use.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=g++ examples/cpp/main.ts
 *
 * It compiles `calculator.cpp`. Without g++ it uses the modules beside it, which
 * `build.ts` made.
 */

import { ModuleRegistry } from "@simple/loader";
import { build, moduleOf } from "./build.ts";

/** The libraries that C++ needs; imports are looked up in this order. */
const LIBRARIES = ["libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6"];

const EXPRESSIONS = ["1 + 2 * 3", "(7 - 1) / -4", "1 / (2 - 2)", "2 * (3", "2 ^ 10"];

async function main(): Promise<void> {
  const versions = [1, 2].map((version) => build(version) ?? Deno.readFileSync(moduleOf(version)));
  await using registry = new ModuleRegistry({ libraries: LIBRARIES });
  registry.loadBytes("calculator", versions[0]);
  using calculator = registry.open("calculator", {
    calculate: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
    calculated: { type: "i32" },
  });
  const calculate = (expression: string): string => {
    const out = new Uint8Array(128);
    const text = new TextEncoder().encode(`${expression}\0`);
    const length = calculator.symbols.calculate(text, out, BigInt(out.length));
    return new TextDecoder().decode(out.subarray(0, Number(length)));
  };
  const showAll = (): void => {
    for (const expression of EXPRESSIONS) console.log(`  ${expression} = ${calculate(expression)}`);
    console.log(`  ${calculator.symbols.calculated} calculated so far`);
  };

  console.log("Version 1");
  showAll();
  const { version } = registry.reload("calculator", { bytes: versions[1], state: "carry" });
  console.log(`Version ${version}, which knows powers`);
  showAll();
}

if (Deno.build.os === "linux" && Deno.build.arch === "x86_64") await main();
else console.log("The modules of this example are for Linux on x86-64: nothing to show");
