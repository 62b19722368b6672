/**
 * A session of `smf dev`: a program and its modules.
 */
import { replaceFile } from "../../build/files.ts";
import { type Project, sourcesFor } from "../../build/project.ts";
import { LinkCache } from "../../link/link_cache.ts";
import { HAS_GUARDS } from "../../load/runtime/crash_guard.ts";
import { basename, dirname, join, resolve } from "../../os/path.ts";
import { UsageError } from "../terminal/command.ts";
import { isFile } from "../terminal/files.ts";
import type { Writer } from "../terminal/style.ts";
import type { DevArguments } from "./arguments.ts";
import { buildAndReport, type ModuleOutcome } from "./builder.ts";
import { factsPath, json, writeFacts, writeNote } from "./build_notes.ts";
import { Changes } from "./changes.ts";
import { cacheFolder, calledModules, configuredModules, type DevModule, shown } from "./modules.ts";
import { type Manifest, milliseconds } from "./notes.ts";
import { Program } from "./program.ts";
import { type ProgramFiles, readProgramFiles } from "./program_files.ts";

/** Names of sources and headers. */
const SOURCE = /\.(?:c|cc|cpp|cxx|c\+\+|h|hh|hpp|hxx|inc|inl|s|rs|zig|toml|o|a)$/i;
/** Names of files that a program of Deno is made of. */
const PROGRAM = /\.(?:[cm]?[jt]sx?|json|wasm)$/i;

/** A program and its modules. */
export class Session implements AsyncDisposable {
  readonly #configured: readonly DevModule[];
  readonly #given: DevArguments;
  readonly #folder: string;
  /** The folder for everything that is built. */
  readonly #cache: string;
  readonly #writer: Writer;
  readonly #changes = new Changes();
  readonly #cleanup = new DisposableStack();
  /** The modules of calls in the program, by their output. */
  #called = new Map<string, DevModule>();
  /** The program's own files. */
  #programFiles: readonly string[] = [];
  /** The files of each module, by its output: its sources, and the dependencies of its last build that worked. */
  readonly #files = new Map<string, readonly string[]>();
  /** The outputs of the modules whose last build failed, and of those whose lack of types was told. */
  readonly #failed = new Set<string>();
  readonly #untyped = new Set<string>();
  /** The outputs that were built in this session. */
  readonly #known = new Set<string>();
  /** Caches for the links of each module, by its output. */
  readonly #linkCaches = new Map<string, LinkCache>();
  #program: Program | undefined;
  #isOver = false;

  /**
   * @param project The modules that a configuration lists, if there is one.
   * @param folder The program's folder, where a change starts it again once it has ended.
   */
  constructor(project: Project | undefined, given: DevArguments, folder: string, writer: Writer) {
    const base = Deno.realPathSync(project?.folder ?? ".");
    this.#cache = cacheFolder(base);
    this.#configured = project === undefined ? [] : configuredModules(project, base, this.#cache);
    this.#given = given;
    this.#folder = Deno.realPathSync(folder);
    this.#writer = writer;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const stop = (): void => {
        this.#isOver = true;
        this.#changes.wake();
      };
      try {
        Deno.addSignalListener(signal, stop);
      } catch (error) {
        // Windows has no SIGTERM.
        if (error instanceof TypeError) continue;
        throw error;
      }
      this.#cleanup.defer(() => Deno.removeSignalListener(signal, stop));
    }
  }

  get #modules(): readonly DevModule[] {
    return [...this.#configured, ...this.#called.values()];
  }

  /**
   * Builds and runs until it is interrupted.
   *
   * @throws {UsageError} if there is no module to build.
   */
  async run(): Promise<void> {
    const calls = await this.#readProgram();
    if (this.#modules.length === 0) throw new UsageError(noModules(this.#given.program, calls));
    this.#watch();
    await this.#build(this.#modules, new Map());
    this.#startProgram();
    while (!this.#isOver) {
      this.#watch();
      const changed = await this.#changes.next();
      if (this.#isOver) break;
      const paths = [...changed.keys()].filter((path) => !this.#isOutput(path));
      if (paths.length === 0) continue;
      const before = this.#called;
      if (paths.some((path) => this.#programFiles.includes(path))) await this.#readProgram();
      const affected = this.#modules.filter((module) => {
        const { output } = module.module;
        if (module.key !== before.get(output)?.key) return true;
        const files = this.#files.get(output);
        // A header that was missing is none of the files yet.
        const mayMend = this.#failed.has(output) && paths.some((path) => SOURCE.test(path));
        return mayMend || paths.some((path) => files?.includes(path));
      });
      if (affected.length > 0) await this.#build(affected, changed);
      this.#tellProgramChange(paths, affected);
      const isNews = affected.length > 0 || paths.some((path) => PROGRAM.test(path));
      if (isNews && this.#program?.isRunning !== true) this.#startProgram();
    }
  }

  /** Reads which modules the program wants. Those of before stay if Deno cannot tell its files. */
  async #readProgram(): Promise<ProgramFiles> {
    const { program, flags } = this.#given;
    const found = await readProgramFiles(program, flags);
    if (found.problem === undefined) {
      this.#programFiles = found.paths.map(real);
      const called = await calledModules(found.calls, this.#cache, this.#called);
      this.#called = new Map(called.map((module) => [module.module.output, module]));
      const outputs = new Set(this.#modules.map(({ module }) => module.output));
      for (const output of this.#linkCaches.keys()) if (!outputs.has(output)) this.#linkCaches.delete(output);
    }
    for (const module of this.#modules) this.#remember(module, sourcesFor(module.module));
    return found;
  }

  /** Whether a file is one that builds write, whose changes do not count. */
  #isOutput(path: string): boolean {
    return /\.tmp$/.test(path) ||
      this.#modules.some(({ project, module: { output, types } }) =>
        [output, types].some((each) => each !== undefined && path === resolve(project.folder, each))
      );
  }

  #watch(): void {
    const isEnded = this.#program?.isRunning !== true;
    this.#changes.watch([
      ...this.#modules.flatMap(({ module }) => this.#files.get(module.output)!),
      ...this.#programFiles,
      ...(isEnded ? [`${this.#folder}/program`] : []),
    ]);
  }

  /** Adds to the files that a module is known to be made of. Texts of the program are written here, and no news. */
  #remember({ project, module: { output } }: DevModule, paths: readonly string[]): void {
    const files = paths.map((path) => real(resolve(project.folder, path)))
      .filter((path) => dirname(path) !== this.#cache);
    this.#files.set(output, [...new Set([...files, ...this.#files.get(output) ?? []])]);
  }

  #linkCache({ module: { output } }: DevModule): LinkCache {
    let cache = this.#linkCaches.get(output);
    if (cache === undefined) this.#linkCaches.set(output, cache = new LinkCache());
    return cache;
  }

  async #build(modules: readonly DevModule[], changed: ReadonlyMap<string, number>): Promise<void> {
    this.#writeManifest();
    const { verbose, compiler } = this.#given;
    const noticed = Math.min(Date.now(), ...changed.values());
    const isFirst = changed.size === 0, start = Date.now();
    const outcomes = await Promise.all(modules.map(async (module) => ({
      module,
      outcome: await buildAndReport(module.project, module.module, this.#writer, {
        verbose,
        ...(compiler !== undefined && { compiler }),
        linkCache: this.#linkCache(module),
        written: (_, built) => writeNote(module, built, noticed),
      }),
    })));
    for (const { module, outcome } of outcomes) {
      // A module that is as before may be one that another command has built.
      if (outcome.built?.isChanged === false) writeFacts(module, outcome.built);
      this.#tell(module, outcome, isFirst);
    }
    // Folders of headers were not watched while the first build read them.
    this.#watch();
    for (const { module: { project, module }, outcome: { built } } of outcomes) {
      const paths = (names: readonly string[]): string[] =>
        names.map((name) => real(resolve(project.folder, name)));
      // Of a module that was not built nobody knows which files were there.
      const present = built?.dependencies ?? this.#files.get(module.output)!.filter(isFile);
      const own = paths(present).filter((path) => dirname(path) !== this.#cache);
      this.#changes.addMissed(start, own, paths(built?.absentHeaders ?? []));
    }
  }

  /** Says of the program's own files that it runs on without their changes, unless those are of C text alone. */
  #tellProgramChange(paths: readonly string[], affected: readonly DevModule[]): void {
    const { program, flags } = this.#given;
    if (this.#program?.isRunning !== true || watchesItself(flags)) return;
    const own = paths.filter((path) =>
      this.#programFiles.includes(path) && !affected.some(({ project }) => real(project.path) === path)
    );
    for (const path of own) {
      const how = `smf dev --watch-hmr ${program} takes such changes at once`;
      this.#say(`${shown(path)}: changed, for the next start of the program; ${how}`);
    }
  }

  /** Writes the line on a build that leads to no reload. */
  #tell(devModule: DevModule, { built, untyped }: ModuleOutcome, isFirst: boolean): void {
    const { project, module } = devModule;
    const { name, output } = module;
    const isRunning = this.#program?.isRunning === true;
    if (built === undefined) {
      this.#failed.add(output);
      const hasOld = isFile(resolve(project.folder, output));
      const next = isRunning && hasOld
        ? "the running version goes on"
        : hasOld
        ? "the last version that was built is taken"
        : "waiting for a change";
      this.#say(`${name}: not built, ${next}`);
      return;
    }
    this.#failed.delete(output);
    this.#files.delete(output);
    this.#remember(devModule, [...sourcesFor(module), ...built.dependencies, ...built.absentHeaders]);
    if (untyped !== undefined && !this.#untyped.has(output)) {
      this.#untyped.add(output);
      this.#say(`${name}: ${untyped}`);
    }
    const { compile, link } = built.milliseconds;
    const times = `compiled in ${milliseconds(compile)}, linked ${milliseconds(link)}`;
    const isNew = !this.#known.has(output);
    if (isFirst || !isRunning || isNew) this.#say(`${name}: built (${times})`);
    else if (!built.isChanged) this.#say(`${name}: unchanged (${times})`);
    this.#known.add(output);
  }

  #say(line: string): void {
    this.#writer.complain(`smf: ${line}`);
  }

  /** A file for this session; two sessions have two. */
  #own(ending: string): string {
    return join(this.#cache, `dev_${Deno.pid}.${ending}`);
  }

  /** Tells the program which modules there are. */
  #writeManifest(): void {
    const pathOf = ({ project, module }: DevModule): string => real(resolve(project.folder, module.output));
    const modules = this.#modules;
    const wanted = modules.flatMap((module) =>
      module.wanted.map((each, age) => ({ ...each, path: pathOf(module), age }))
    );
    // A text that a call has now comes before the same one that another had.
    const calls = wanted.sort((a, b) => a.age - b.age).map(({ age: _, ...call }) => call);
    const files = modules.map((each) => ({
      name: each.module.name,
      path: pathOf(each),
      note: each.note,
      facts: factsPath(each),
    }));
    const manifest: Manifest = { files, calls };
    replaceFile(this.#own("json"), json(manifest));
  }

  /** Starts the program, unless a module that it needs was never built. */
  #startProgram(): void {
    const { flags, program, args, state, when } = this.#given;
    const outputs = this.#modules.map(({ project, module }) => real(resolve(project.folder, module.output)));
    if (this.#isOver || !outputs.every(isFile)) return;
    const started = this.#program = new Program({
      ...{ flags, program, args, readable: [...new Set([this.#cache, ...outputs.map(dirname)])] },
      client: {
        manifest: this.#own("json"),
        restarts: watchesItself(flags),
        ...{ state, when, format: this.#writer.format, onCrash: HAS_GUARDS ? "throw" : "end" },
      },
      preload: this.#own("js"),
    });
    started.ended.then(({ how, signal }) => {
      // Ctrl-C goes to both processes, in any order.
      if (signal === "SIGINT") this.#isOver = true;
      if (!this.#isOver) this.#say(`${how}; it starts again at the next change`);
      this.#changes.wake();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#changes[Symbol.dispose]();
    this.#cleanup.dispose();
    await this.#program?.end();
    for (const path of [this.#own("js"), this.#own("json")]) {
      try {
        Deno.removeSync(path);
      } catch (error) {
        // The program was never started.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}

/** Whether Deno starts the program again when it changes. */
function watchesItself(flags: readonly string[]): boolean {
  return flags.some((flag) => /^--watch/.test(flag));
}

/** Says why there is nothing to build, and what to do. */
function noModules(program: string, { calls, problem }: ProgramFiles): string {
  if (problem !== undefined && problem !== "") return problem.trimEnd();
  const [call] = calls.filter(({ computed }) => computed.length > 0);
  const found = call === undefined
    ? `${program} calls no cc()`
    : `only the running program knows the arguments of cc() in ${call.path}:${call.computed[0]}`;
  return `there is no smf.json, nor a deno.json with a field "smf", here or above, and ${found}: ` +
    "smf init makes a project";
}

/** The path without links on the way; what is not there keeps its name. */
function real(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const folder = dirname(path);
    return folder === path ? path : join(real(folder), basename(path));
  }
}
