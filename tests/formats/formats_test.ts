// The same five sources, from the objects of every format and compiler: each module gives the same answers. What is
// runs elsewhere than on Linux x86-64 is made there, before the tests run.
import { isolated } from "../support/isolated.ts";
import { fromBuilt, IS_BUILT, nameOf, whyNotBuilt } from "./built.ts";
import { checkModule, lackingOf, makeModule, sourcesOf } from "./cells.ts";
import { type Toolchain, TOOLCHAINS, whyMissing } from "./compilers.ts";
import type { Source } from "./sources.ts";

const COMPILES = !IS_BUILT && Deno.build.os === "linux";

async function moduleOf(toolchain: Toolchain, source: Source): Promise<Uint8Array<ArrayBuffer>> {
  if (!COMPILES) return fromBuilt(nameOf(toolchain, source));
  const folder = Deno.makeTempDirSync();
  try {
    return await makeModule(toolchain, source, folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A cell whose module cannot be made anywhere: only its reason is shown. */
function showLacking(title: string, reason: string): void {
  Deno.test({ name: `${title} (SKIPPED: ${reason})`, ignore: true, fn() {} });
}

for (const toolchain of TOOLCHAINS) {
  const { name, format, system, arch } = toolchain;
  if (system !== Deno.build.os || arch !== Deno.build.arch) continue;
  for (const [source, reason] of lackingOf(toolchain)) {
    showLacking(`${format} of ${name}: ${source.name}`, reason);
  }
  const sources = sourcesOf(toolchain);
  if (sources.length === 0) continue;
  const title = `${format} of ${name}: ${sources.map(({ name }) => name).join(", ")}`;
  const reason = COMPILES ? whyMissing(toolchain) : whyNotBuilt(`${format} of ${name}`);
  Deno.test({
    name: reason === undefined ? title : `${title} (SKIPPED: ${reason})`,
    ignore: reason !== undefined,
    fn: isolated(async (context) => {
      for (const source of sources) {
        await context.step(source.name, async () => checkModule(source, await moduleOf(toolchain, source)));
      }
    }),
  });
}
