/** Reloads a program's modules many times and asks all questions each time; needs `--expose-gc`. */
import { type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { ask, RUNTIME } from "./program_tests.ts";
import { expectedOf, type Program } from "./programs.ts";

/** The outcome that this prints, as JSON. */
export interface Outcome {
  /** The number of versions whose answers were all right. */
  readonly right: number;
  /** Resident bytes over time, each measured after a garbage collection. */
  readonly resident: readonly number[];
}

const gc = (globalThis as unknown as { gc?: () => void }).gc;

/** Closes importers before their providers. */
function closeAll(modules: readonly LoadedModule[]): void {
  for (const module of modules.toReversed()) module.close();
}

/** Reloads the modules in these files; `resident` is as it is where garbage cannot be collected. */
export async function reloadProgram(
  program: Program,
  files: readonly URL[],
  reloads: number,
): Promise<Outcome> {
  const modules = files.map((file) => [file.href, Deno.readFileSync(file)] as const);
  await using registry = new ModuleRegistry({ libraries: RUNTIME });
  const expected = JSON.stringify(expectedOf(program));
  let loaded: LoadedModule[] = modules.map(([name, bytes]) => registry.loadBytes(name, bytes));
  let right = 0;
  const resident: number[] = [];
  for (let reload = 1; reload <= reloads; reload++) {
    const next = modules.map(([name, bytes]) => registry.reload(name, { bytes }));
    closeAll(loaded);
    loaded = next;
    if (JSON.stringify(ask(program, loaded.at(-1)!)) === expected) right++;
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (reload % 5 === 0) {
      gc?.();
      resident.push(Deno.memoryUsage().rss);
    }
  }
  closeAll(loaded);
  return { right, resident };
}

if (import.meta.main) {
  const [program, reloads, ...files] = Deno.args;
  const urls = files.map((file) => new URL(file));
  console.log(JSON.stringify(await reloadProgram(JSON.parse(program), urls, Number(reloads))));
}
