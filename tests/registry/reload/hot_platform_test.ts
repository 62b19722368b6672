// Running code takes up new code on every platform: from objects for this one.
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { FOLDER, TARGETS } from "../../../fixtures/build_platform.ts";
import { linkObjects, ModuleRegistry } from "../../../mod.ts";
import { INT } from "../../support/versions.ts";

const HOST = `${Deno.build.os}-${Deno.build.arch}`;

/** Links the objects of this platform; they are committed, so that no compiler is needed. */
function hot(version: number): Uint8Array<ArrayBuffer> {
  const name = `${HOST}_hot_v${version}.o`;
  const bytes = Deno.readFileSync(fromFileUrl(new URL(name, FOLDER)));
  const { platform } = TARGETS[HOST];
  const linked = linkObjects([{ name, bytes }], { platform, hot: true });
  assertEquals(linked.map.unswitched, []);
  return linked.bytes as Uint8Array<ArrayBuffer>;
}

const CALLS = ["call_external", "call_hidden", "call_variable", "call_constant", "call_stored"] as const;

Deno.test({
  name:
    "every way to a function takes up the other version over 20 reloads and two rollbacks, on this platform",
  // macOS has no fixture, since nobody could run its modules.
  ignore: !(HOST in TARGETS),
  async fn() {
    const files = [hot(1), hot(2)];
    let reload = (_step: number): void => {};
    const host_step = {
      parameters: ["i32"],
      result: "i32",
      callback: (step: number) => (reload(step), 0),
    } as const;
    await using registry = new ModuleRegistry({ imports: { host_step }, keepVersions: Infinity });
    using module = registry.loadBytes("m", files[0]);
    const names = Object.fromEntries(CALLS.map((name) => [name, INT])) as Record<
      typeof CALLS[number],
      typeof INT
    >;
    const number = { parameters: ["i32"], result: "i32" } as const;
    const live = registry.open("m", { ...names, keep: INT, are_same: INT, call_local: number, run: number });
    const { symbols } = live;
    symbols.keep();
    using lease = module.addressOf("external")!;
    const pointer = new Deno.UnsafeFnPointer(Deno.UnsafePointer.create(lease.address)!, number);
    const check = (version: number): void => {
      assertEquals(CALLS.map((name) => symbols[name]()), CALLS.map(() => version));
      assertEquals([symbols.call_local(3), pointer.call(0), symbols.are_same()], [version, version, 1]);
    };
    check(1);
    for (let round = 1; round <= 20; round++) {
      const version = round % 2 + 1;
      // The loop began in the version before, and goes on in its code.
      reload = (step) => {
        if (step !== 1) return;
        if (round % 10 === 0) registry.rollback("m").close();
        else registry.reload("m", { bytes: files[version - 1] }).close();
      };
      const before = 3 - version;
      assertEquals(symbols.run(4), ((before * 32 + version) * 32 + version) * 32 + version, `round ${round}`);
      check(version);
    }
    live.close();
  },
});
