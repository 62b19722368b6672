/**
 * How far builds of several modules are, as one bar.
 */
import type { BuildProgress } from "../../build/build.ts";
import type { ProjectModule } from "../../build/project.ts";
import { linkedPart } from "../../link/progress.ts";
import { Progress } from "../terminal/progress.ts";
import type { Writer } from "../terminal/style.ts";

/** The progress of builds at the same time: each source and each link is one part of the whole. */
export class BuildBar implements Disposable {
  readonly #progress: Progress;
  readonly #sources: number;
  readonly #parts: number;
  #compiled = 0;
  #linked = 0;

  /** @param modules Those that are built, each as often as it is. */
  constructor(writer: Writer, modules: readonly ProjectModule[]) {
    this.#progress = new Progress(writer);
    this.#sources = modules.reduce((sum, { sources }) => sum + sources.length, 0);
    this.#parts = this.#sources + modules.length;
    this.#showCompiled();
    // Compilers run beside this process, which waits for them.
    this.#progress.startClock();
  }

  /** Does the build of one module, which reports to the bar. */
  async follow<T>(
    { name }: ProjectModule,
    build: (progress: BuildProgress | undefined) => Promise<T>,
  ): Promise<T> {
    if (!this.#progress.isShown) return await build(undefined);
    const result = await build({
      compiled: () => {
        this.#compiled++;
        this.#showCompiled();
      },
      linking: (step, done, total) => this.#show(`linking ${name}`, linkedPart(step, done, total)),
    });
    this.#linked++;
    this.#showCompiled();
    return result;
  }

  #showCompiled(): void {
    this.#show(`compiled ${this.#compiled} of ${this.#sources}`, 0);
  }

  /** @param more The part of a link that runs. */
  #show(step: string, more: number): void {
    this.#progress.show(step, (this.#compiled + this.#linked + more) / this.#parts);
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]();
  }
}
