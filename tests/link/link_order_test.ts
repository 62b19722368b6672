// SHF_LINK_ORDER: tables about functions lie in the order of the functions.
import { assertEquals } from "@std/assert";
import { linkObjects, ModuleRegistry } from "../../mod.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";

// Code is sorted (hot, ordinary, startup, unlikely), so its order is not that of the objects.
const entry = (name: string, section: string): string =>
  `__asm__(".section order_table,\\"awo\\",@progbits,${section}\\n.quad ${name}\\n.previous");`;

const SOURCE = `
  extern unsigned long __start_order_table[], __stop_order_table[];
  __attribute__((cold, noinline)) int cold(void) { return 1; }
  __attribute__((noinline)) int plain(void) { return 2; }
  __attribute__((hot, noinline)) int hot(void) { return 3; }
  ${entry("cold", ".text.unlikely.cold")} ${entry("plain", ".text.plain")} ${entry("hot", ".text.hot.hot")}
  int count(void) { return __stop_order_table - __start_order_table; }
  int unsorted(void) {
    int wrong = 0;
    for (unsigned long *at = __start_order_table + 1; at < __stop_order_table; at++) wrong += at[-1] >= at[0];
    return wrong;
  }`;

testWithCompilers(["gcc"], "a table about functions is sorted by address", async (folder) => {
  Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
  Deno.writeTextFileSync(
    `${folder}/b.c`,
    `__attribute__((hot)) int hot_too(void) { return 4; } ${entry("hot_too", ".text.hot.hot_too")}
    __attribute__((cold)) int cold_too(void) { return 5; } ${entry("cold_too", ".text.unlikely.cold_too")}`,
  );
  // Otherwise the compiler moves assembly in front of the sections that it names.
  const options = ["-O2", "-fPIC", "-ffunction-sections", "-fno-toplevel-reorder"];
  await compile("gcc", [...options, "-c", "a.c", "b.c"], folder);
  const objects = ["a.o", "b.o"].map((name) => ({ name, bytes: Deno.readFileSync(`${folder}/${name}`) }));
  for (const inputs of [objects, objects.toReversed()]) {
    const path = `${folder}/m.smf`;
    Deno.writeFileSync(path, linkObjects(inputs).bytes);
    using registry = new ModuleRegistry();
    const module = registry.load(path);
    const call = (name: string) => module.getFunction(name, { parameters: [], result: "i32" })?.();
    assertEquals([call("count"), call("unsorted")], [5, 0]);
  }
});
