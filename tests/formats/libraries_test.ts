// Real libraries in C run on Windows: zlib, SQLite and Lua, of gcc for MinGW. Elsewhere real archives are tested.
import { ModuleRegistry } from "../../mod.ts";
import { isolated } from "../support/isolated.ts";
import { fromBuilt, whyNotBuilt } from "./built.ts";
import { REAL_LIBRARIES } from "./libraries.ts";

for (const { name, check } of REAL_LIBRARIES) {
  const reason = Deno.build.os === "windows" ? whyNotBuilt(name) : "runs on Windows";
  const title = `${name} of gcc for MinGW runs`;
  Deno.test({
    name: reason === undefined ? title : `${title} (SKIPPED: ${reason})`,
    ignore: reason !== undefined,
    fn: isolated(async () => {
      using registry = new ModuleRegistry();
      const module = registry.loadBytes(name, fromBuilt(`${name}.smf`));
      await check(module);
      module.close();
    }),
  });
}
