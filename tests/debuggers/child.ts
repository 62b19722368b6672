// The program that is debugged: calls functions of a module, or of a shared library, as its arguments say.
import { ModuleRegistry } from "../../mod.ts";
import { maps } from "../support/process_state.ts";

const [task, path] = Deno.args;
const DEFINITIONS = { outer: { parameters: ["i32"], result: "i32" } } as const;

/** Waits until the test closes the standard input. */
async function untilAsked(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}

switch (task) {
  case "library": {
    const library = Deno.dlopen(`./${path}`, DEFINITIONS);
    console.log("result", library.symbols.outer(3));
    library.close();
    break;
  }
  case "module": {
    using registry = new ModuleRegistry({ debug: true });
    using module = registry.load(path);
    console.log("result", module.getFunction("outer", DEFINITIONS.outer)!(3));
    break;
  }
  case "guarded": {
    using registry = new ModuleRegistry({ debug: true, onCrash: "throw" });
    using module = registry.load(path);
    console.log("result", module.getFunction("outer", DEFINITIONS.outer)!(3));
    break;
  }
  case "reload": {
    using registry = new ModuleRegistry({ debug: true });
    using live = registry.open(path, DEFINITIONS);
    console.log("result", live.symbols.outer(3));
    Deno.copyFileSync("second.smf", "next.smf");
    Deno.renameSync("next.smf", path);
    registry.reload(path, { state: "keep" });
    console.log("result", live.symbols.outer(3));
    break;
  }
  case "callback": {
    using registry = new ModuleRegistry({ debug: true });
    using live = registry.open(path, { calls: { parameters: ["function"], result: "i32" } });
    const callback = new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {
      Deno.copyFileSync("second.smf", "next.smf");
      Deno.renameSync("next.smf", path);
      registry.reload(path);
    });
    console.log("result", live.symbols.calls(callback.pointer));
    callback.close();
    break;
  }
  case "group": {
    using registry = new ModuleRegistry({ debug: true });
    registry.loadAll([path]);
    using live = registry.open(path, DEFINITIONS);
    console.log("result", live.symbols.outer(3));
    break;
  }
  case "wait": {
    using registry = new ModuleRegistry({ debug: true });
    registry.load(path);
    console.log("ready");
    await untilAsked();
    break;
  }
  case "many": {
    const [, , count] = Deno.args;
    using registry = new ModuleRegistry({ debug: true });
    using live = registry.open(path, DEFINITIONS);
    const files = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const pause = () => new Promise((resolve) => setTimeout(resolve));
    registry.reload(path).close();
    await pause();
    const before = files();
    for (let i = 0; i < Number(count); i++) {
      registry.reload(path).close();
      if (i % 50 === 0) await pause();
    }
    live.symbols.outer(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(`files ${files() - before}`);
    await untilAsked();
    break;
  }
  case "closed": {
    {
      using registry = new ModuleRegistry({ debug: true });
      registry.load(path);
    }
    console.log(`left ${maps().filter((line) => /memfd:smf-jit/.test(line)).length}`);
    await untilAsked();
    break;
  }
}
