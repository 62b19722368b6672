// The order in which modules that are loaded together start.
import { assertEquals } from "@std/assert";
import { linkObjects, ModuleRegistry } from "../../mod.ts";
import { StartOrder } from "../../src/registry/start_order.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";

/** The order for modules each of which imports from those at the given positions. */
function orderOf(providers: readonly (readonly number[])[]): number[] {
  const order = new StartOrder();
  const group = providers.map((_, position) => ({
    exports: {
      find: (name: string) => name === `f${position}` ? { address: 1n, from: "test" } : undefined,
      findThreadLocal: (name: string) => name === `t${position}` ? { address: 0n, from: "test" } : undefined,
      names: () => [`f${position}`],
    },
  }));
  providers.forEach((used, importer) => {
    const seen = order.watch(importer, group);
    // A thread-local variable makes a module depend on another as anything else does.
    used.forEach((position, i) => {
      for (const { exports } of seen) {
        if (i % 2 === 0) exports.find(`f${position}`);
        else exports.findThreadLocal(`t${position}`);
      }
    });
  });
  return order.positions();
}

Deno.test("providers come first; otherwise the order stays", () => {
  assertEquals(orderOf([[], [], []]), [0, 1, 2]);
  assertEquals(orderOf([[2], [], []]), [2, 0, 1]);
  assertEquals(orderOf([[3, 1], [2], [], []]), [2, 1, 3, 0]);
});

Deno.test("the modules of a circle keep their order, behind their providers", () => {
  assertEquals(orderOf([[1], [2], [0]]), [0, 1, 2]);
  assertEquals(orderOf([[1], [0], [0]]), [0, 1, 2]);
  assertEquals(orderOf([[2], [4], [1, 3], [2], []]), [4, 1, 2, 3, 0]);
});

Deno.test("a chain may be long", () => {
  const length = 20_000;
  const order = new StartOrder();
  const found = { address: 1n, from: "test" };
  const group = [{
    exports: { find: (_: string) => found, findThreadLocal: () => undefined, names: () => [] },
  }];
  for (let at = 0; at < length; at++) {
    // The next module is the only one that this one sees.
    const sparse = Object.assign(new Array<typeof group[0]>(at + 2), { [at + 1]: group[0] });
    const seen = order.watch(at, at + 1 < length ? sparse : []);
    seen[at + 1]?.exports.find("f");
  }
  assertEquals(order.positions()[0], length - 1);
});

testWithCompilers(
  ["gcc"],
  "initialisers run in the order of dependence, whatever the order of the paths, also at a reload",
  async (folder) => {
    const source = (name: string, uses?: string) => `
      ${uses === undefined ? "" : `extern int ${uses}_state(void);`}
      static int state;
      int ${name}_state(void) { return state; }
      __attribute__((constructor)) static void start(void) {
        state = ${uses === undefined ? "1" : `${uses}_state() ? ${uses}_state() + 1 : -100`};
      }`;
    const paths = [["a", "b"], ["b", "c"], ["c"]].map(([name, uses]) => {
      Deno.writeTextFileSync(`${folder}/${name}.c`, source(name, uses));
      return name;
    });
    await compile("gcc", ["-O2", "-fPIC", "-c", ...paths.map((name) => `${name}.c`)], folder);
    const file = (name: string) => `${folder}/${name}.smf`;
    for (const name of paths) {
      const object = { name, bytes: Deno.readFileSync(`${folder}/${name}.o`) };
      Deno.writeFileSync(file(name), linkObjects([object], { reloadable: true }).bytes);
    }
    for (const order of ["abc", "acb", "bac", "bca", "cab", "cba"]) {
      using registry = new ModuleRegistry();
      const named = [...order];
      const states = (modules: ReturnType<typeof registry.loadAll>) =>
        named.map((name, index) =>
          modules[index].getFunction(`${name}_state`, { parameters: [], result: "i32" })?.()
        );
      const expected = named.map((name) => ({ a: 3, b: 2, c: 1 })[name]);
      const files = named.map(file);
      assertEquals(states(registry.loadAll(files)), expected, order);
      assertEquals(states(registry.reloadAll(files)), expected, `${order}, reloaded`);
    }
  },
);
