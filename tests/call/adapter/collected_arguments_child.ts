/**
 * Calls a function that returns a part of its argument, a string or an array, while the garbage collector runs
 * (`--expose-gc`), and prints the results that are not that text.
 */
import { ModuleLoader } from "../../../mod.ts";
import { sample } from "../../support/modules.ts";

const collect = (globalThis as unknown as { gc(): void }).gc;
const bytesOf = (text: string) => new TextEncoder().encode(text);
const TEXT = "grüße ".repeat(1000);

const wrong: string[] = [];
for (const callPath of ["auto", "fast", "pointer"] as const) {
  using module = new ModuleLoader().loadBytes(sample());
  const offset = { name: "offset", parameters: ["cstring", "usize"], result: "cstring" } as const;
  const { plain, capturing, array } = module.bind({
    plain: { ...offset, nonblocking: true },
    capturing: { ...offset, nonblocking: true, captureErrno: true },
    array: { ...offset, parameters: ["buffer", "usize"], nonblocking: true },
  }, { callPath }).symbols;
  for (let round = 0; round < 20; round++) {
    const results = [
      plain(TEXT, 0n),
      capturing(TEXT, 0n).then(({ result }) => result),
      array(bytesOf(`${TEXT}\0`), 0n),
    ];
    collect();
    // Others get the memory of arrays that are gone.
    const others = Array.from({ length: 50 }, () => bytesOf(TEXT).fill(0x2a));
    for (const result of await Promise.all(results)) {
      if (result !== TEXT) wrong.push(`${callPath}, round ${round}: ${result?.slice(0, 20)}`);
    }
    others.length = 0;
  }
}
console.log(JSON.stringify(wrong));
