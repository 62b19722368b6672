import { assertEquals } from "@std/assert";
import { ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { NOT_LINUX_X86_64 } from "../support/testing.ts";
import { HAS_ZSTD } from "../support/deno_version.ts";

const ADD = { parameters: ["i64", "i64"], result: "i64" } as const;
const INT = { parameters: [], result: "i32" } as const;

const FIXTURES = new URL("../../fixtures/", import.meta.url);

Deno.test({
  name: "files laid out as real compilers do, with garbage in all padding, load and run",
  ignore: NOT_LINUX_X86_64,
  async fn() {
    for (const [name, result] of [["real_h72.smf", 72], ["real_h96.smf", 96]] as const) {
      using module = new ModuleLoader().load(new URL(name, FIXTURES));
      using other = await new ModuleLoader().loadAsync(new URL(name, FIXTURES));
      for (const each of [module, other]) {
        assertEquals(each.entryPoint(INT)!(), result);
        assertEquals(each.getFunction("main", INT)!(), result);
        assertEquals(each.exports(), [{ name: "main", type: "Function", size: 0 }]);
      }
    }
  },
});

Deno.test({
  name: "code, constants, variables and zeroed data of a module work together, behind a stub too",
  ignore: NOT_LINUX_X86_64,
  fn() {
    for (const name of ["data.smf", "trailer_h96.smf"]) {
      using module = new ModuleLoader().load(new URL(name, FIXTURES));
      const long = { parameters: [], result: "i64" } as const;
      const { symbols } = module.bind({
        increment: long,
        get: long,
        get_by_pointer: long,
        greet: { parameters: [], result: "pointer" },
        greet_by_pointer: { parameters: [], result: "pointer" },
        remember: { parameters: ["i64", "i64"], result: "void" },
        recall: { parameters: ["i64"], result: "i64" },
      });
      assertEquals([symbols.increment(), symbols.increment(), symbols.get()], [1n, 2n, 2n]);
      assertEquals(symbols.get_by_pointer(), 2n);
      for (const greet of [symbols.greet, symbols.greet_by_pointer]) {
        assertEquals(Deno.UnsafePointerView.getCString(greet()!), "Hello from a module");
      }
      assertEquals(symbols.recall(7n), 0n);
      symbols.remember(7n, -5n);
      assertEquals(symbols.recall(7n), -5n);
    }
  },
});

Deno.test({
  name: "one module in every layout, and one with a compressed section, give the same answers",
  ignore: NOT_LINUX_X86_64,
  fn() {
    const DOUBLE = { parameters: ["f64", "f64"], result: "f64" } as const;
    for (const name of ["mylib.smf", "mylib_h72.smf", "h80.smf", "p128.smf"]) {
      using module = new ModuleLoader().load(new URL(name, FIXTURES));
      assertEquals(module.getFunction("add", ADD)!(2n, 3n), 5n);
      assertEquals(module.getFunction("sub", ADD)!(2n, 3n), -1n);
      assertEquals(module.getFunction("mul", ADD)!(-2n, 3n), -6n);
      assertEquals(module.getFunction("average", DOUBLE)!(1, 2), 1.5);
    }
    if (!HAS_ZSTD) return;
    using module = new ModuleLoader().load(new URL("zstd.smf", FIXTURES));
    const square = module.getFunction("square", { parameters: ["i64"], result: "i64" })!;
    assertEquals([0n, 1n, 2n, 3n, 4n, 67n].map((index) => square(index)), [0n, 1n, 4n, 9n, 0n, 0n]);
  },
});

Deno.test({
  name: "a module calls another module's exports directly, through the GOT and by address",
  ignore: NOT_LINUX_X86_64,
  fn() {
    using registry = new ModuleRegistry();
    const provider = registry.load(new URL("provider.smf", FIXTURES));
    const importer = registry.load(new URL("importer.smf", FIXTURES));
    const long = { parameters: ["i64"], result: "i64" } as const;
    assertEquals(provider.getFunction("scale", long)!(5n), 15n);
    assertEquals(importer.getFunction("scaled_twice", long)!(5n), 30n);
    assertEquals(importer.getFunction("scaled_plus_one", long)!(5n), 16n);
    const address = importer.getFunction("scale_address", { parameters: [], result: "u64" })!();
    assertEquals(address, registry.resolveSymbol("scale"));
  },
});
