// Statics of Rust stay where they are: a Mutex over heap memory, and an atomic.
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";

const SOURCE = (version: number) => `
  use std::sync::{Mutex, atomic::{AtomicI32, Ordering}};
  static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
  static COUNT: AtomicI32 = AtomicI32::new(5);
  #[no_mangle]
  pub extern "C" fn step(number: i32) -> i32 {
    let mut names = NAMES.lock().unwrap();
    names.push(format!("name {number:03}"));
    let length: usize = names.iter().map(|name| name.len()).sum();
    COUNT.fetch_add(${version}, Ordering::SeqCst) * 10000 + length as i32
  }`;
const FLAGS = ["-O", "-g", "-Cpanic=abort", "--crate-type=staticlib", "-Crelocation-model=pic"];

testWithCompilers(
  ["rustc"],
  "a Mutex of heap memory and an atomic go on over 20 reloads and two rollbacks",
  async (folder) => {
    const make = async (version: number): Promise<Uint8Array> => {
      Deno.writeTextFileSync(`${folder}/kept.rs`, SOURCE(version));
      await compile("rustc", [...FLAGS, "-o", "libkept.a", "kept.rs"], folder);
      const bytes = Deno.readFileSync(`${folder}/libkept.a`);
      return linkObjects([{ name: "libkept.a", bytes }], { reloadable: true, exports: ["step"] }).bytes;
    };
    // Compiling takes most of the time, so the versions come again and again.
    const versions: Uint8Array[] = [];
    for (let version = 1; version <= 4; version++) versions.push(await make(version));
    using registry = new ModuleRegistry({ libraries: ["libgcc_s.so.1"] });
    registry.loadBytes("rust", versions[0]);
    const live = registry.open("rust", { step: { parameters: ["i32"], result: "i32" } });
    let steps = 0, count = 5;
    const step = (version: number): void => {
      assertEquals(live.symbols.step(steps), count * 10000 + ++steps * "name 000".length);
      count += version;
    };
    step(1);
    for (let round = 1; round <= 20; round++) {
      const version = round % versions.length + 1;
      const module = registry.reload("rust", { bytes: versions[version - 1], state: "keep" });
      const names = module.carried!.kept.join();
      assert(names.includes("COUNT") && names.includes("NAMES"), names);
      module.close();
      step(version);
      if (round % 8 !== 0) continue;
      registry.rollback("rust", { state: "keep" }).close();
      step((round - 1) % versions.length + 1);
    }
    live.close();
  },
);

testWithCompilers(
  ["rustc"],
  "a static that LLVM has renamed stays, too, because debug information has its path",
  async (folder) => {
    const make = async (by: number): Promise<Uint8Array> => {
      Deno.writeTextFileSync(
        `${folder}/one.rs`,
        `#![no_std]
        #[panic_handler] fn end(_: &core::panic::PanicInfo) -> ! { loop {} }
        static mut COUNT: i64 = 0;
        #[no_mangle] pub extern "C" fn count() -> i64 { unsafe { COUNT += ${by}; COUNT } }`,
      );
      await compile("rustc", [...FLAGS, "-Ccodegen-units=1", "--emit=obj=one.o", "one.rs"], folder);
      return linkObjects([{ name: "one.o", bytes: Deno.readFileSync(`${folder}/one.o`) }], {
        reloadable: true,
      })
        .bytes;
    };
    using registry = new ModuleRegistry();
    registry.loadBytes("one", await make(1));
    const { symbols } = registry.open("one", { count: { parameters: [], result: "i64" } });
    assertEquals(symbols.count(), 1n);
    const { carried } = registry.reload("one", { bytes: await make(10), state: "keep" });
    assertEquals([carried?.kept.length, symbols.count()], [1, 11n]);
  },
);
