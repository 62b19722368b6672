/**
 * Compiles one source to inputs of the linker.
 */
import { LoadError } from "../errors/load_error.ts";
import { separateVariables } from "../link/elf/variable_sections.ts";
import type { LinkInput } from "../link/linker.ts";
import { basename, dirname, join } from "../os/path.ts";
import { CompileError } from "./compile_error.ts";
import type { CompileFiles, CompileFlags } from "./compiler_run.ts";
import { commandOf, type Compiler, findCompiler, type ToolKind } from "./compilers.ts";
import { readRules, readSourceDependencies, zigImports } from "./dependencies.ts";
import { dialectOf, messagesOf } from "./dialects.ts";
import { within } from "./files.ts";
import { absentHeaders } from "./headers.ts";
import { compileCommand, sourceKind } from "./languages.ts";
import { type CompiledObjects, hashText, ObjectCache } from "./object_cache.ts";
import { type CommandResult, runCommand } from "./run_command.ts";

/** How one source became part of a module. */
export interface CompilerRun {
  /** The source, as it was given. */
  readonly source: string;
  /** The command with all its arguments; empty for an object or archive. */
  readonly command: readonly string[];
  /** Whether the cache had the object, so that nothing ran. */
  readonly cached: boolean;
  /** How long the compiler took. */
  readonly milliseconds: number;
  /** The warnings, as the compiler has printed them. */
  readonly output: string;
}

/** The settings that all sources of a build share. */
export interface CompileContext extends CompileFlags {
  /** The folder that relative paths start at, and that compilers run in. */
  readonly folder: string;
  /** The folder for objects, which exists. */
  readonly cache: string;
  /** The C and C++ compiler that the caller names. */
  readonly compiler?: string | readonly string[];
  readonly signal?: AbortSignal;
}

/** A compiled source. */
export interface CompiledSource {
  readonly inputs: readonly LinkInput[];
  readonly run: CompilerRun;
  /** The files that it is made of. */
  readonly dependencies: readonly string[];
  /** The paths where a new file may change the result. */
  readonly absent: readonly string[];
  /** The archive that code of the compiler needs besides. */
  readonly runtime?: string;
}

/**
 * Compiles a source, or takes its object from the cache. An object or archive is only read.
 *
 * @throws {CompileError} if it does not compile.
 * @throws {LoadError} `Unsupported` or `PermissionDenied` if there is no compiler.
 */
export async function compileSource(source: string, context: CompileContext): Promise<CompiledSource> {
  const kind = sourceKind(source);
  if (kind === "object") {
    return {
      inputs: [{ name: source, bytes: Deno.readFileSync(within(context.folder, source)) }],
      run: { source, command: [], cached: true, milliseconds: 0, output: "" },
      dependencies: [source],
      absent: [],
    };
  }
  // A missing source is reported as such, before any compiler is looked for.
  Deno.statSync(within(context.folder, source));
  const preferred = compilerFor(kind, context.compiler);
  const compiler = await findCompiler(kind, preferred, context.target !== undefined);
  const compilation = new Compilation(source, kind, compiler, context);
  return kind === "cargo" ? await compilation.always() : await compilation.ifNeeded();
}

/** The compiler that the caller names, if it is for a language: TinyCC compiles no C++. */
function compilerFor(kind: ToolKind, named: CompileContext["compiler"]): CompileContext["compiler"] {
  if (kind === "c") return named;
  return kind === "c++" && named !== undefined && dialectOf(commandOf(named)) !== "tcc" ? named : undefined;
}

/** One source and its compiler. */
class Compilation {
  readonly #source: string;
  readonly #kind: ToolKind;
  readonly #compiler: Compiler;
  readonly #context: CompileContext;
  readonly #cache: ObjectCache;

  constructor(source: string, kind: ToolKind, compiler: Compiler, context: CompileContext) {
    this.#source = source;
    this.#kind = kind;
    this.#compiler = compiler;
    this.#context = context;
    this.#cache = new ObjectCache(within(context.folder, context.cache), context.folder);
  }

  /** Compiles unless the cache has the objects. */
  async ifNeeded(): Promise<CompiledSource> {
    const { folder, cache } = this.#context;
    const settings = [this.#compiler.version, folder, this.#command(this.#files(""))];
    const key = (await hashText(JSON.stringify(settings))).slice(0, 32);
    const found = await this.#cache.find(key);
    if (found !== undefined) return this.#compiled(found, this.#files(key), true, 0);
    // Compilers leave files of their own beside the object.
    const work = join(cache, `${key}.${crypto.randomUUID()}`);
    Deno.mkdirSync(within(folder, work));
    using cleanup = new DisposableStack();
    cleanup.defer(() => removeIfPossible(within(folder, work)));
    const files = this.#files(join(work, "out"));
    const started = Date.now();
    const { milliseconds, output } = await this.#run(files);
    const objects = this.#kind === "rust" ? [files.object, files.archive] : [files.object];
    const made = {
      objects: objects.map((path) => this.#prepared(Deno.readFileSync(within(folder, path)))),
      ...this.#readDependencies(files, started),
      output,
    };
    await this.#cache.keep(key, made, started);
    return this.#compiled(made, files, false, milliseconds);
  }

  /** An object as the linker is to get it. */
  #prepared(object: Uint8Array): Uint8Array {
    return dialectOf(this.#compiler.command) === "tcc" ? separateVariables(this.#source, object) : object;
  }

  /** The files that the compiler has read, and those that it has looked for in vain. */
  #readDependencies(
    { dependencies: list }: CompileFiles,
    started: number,
  ): Pick<CompiledObjects, "dependencies" | "absent"> {
    const { folder, flags } = this.#context;
    if (this.#kind === "zig") return { dependencies: zigImports(this.#source, folder), absent: [] };
    const text = Deno.readTextFileSync(within(folder, list));
    if (this.#kind === "rust") return { dependencies: readRules(text), absent: [] };
    const dependencies = dialectOf(this.#compiler.command) === "cl"
      ? [this.#source, ...readSourceDependencies(text)]
      : readRules(text);
    return { dependencies, absent: absentHeaders(dependencies, flags, folder, started) };
  }

  /** Lets Cargo decide which files to compile: it knows the crates that this one needs. */
  async always(): Promise<CompiledSource> {
    const { cache, folder } = this.#context;
    // Cargo starts the compiler in the folder of the crate.
    const object = join(
      Deno.realPathSync(within(folder, cache)),
      (await hashText(this.#source)).slice(0, 32),
    );
    const files = this.#files(object);
    const { milliseconds, output, stdout } = await this.#run(files);
    const { archive, isFresh } = readCargoMessages(stdout, this.#source);
    const rules = Deno.readTextFileSync(archive.replace(/\.(?:a|lib)$/, ".d"));
    const made = {
      objects: [Deno.readFileSync(within(folder, files.object)), Deno.readFileSync(archive)],
      dependencies: [this.#source, ...readRules(rules)],
      absent: [],
      output,
    };
    return this.#compiled(made, files, isFresh, milliseconds);
  }

  #files(stem: string): CompileFiles {
    return {
      source: this.#source,
      object: `${stem}.o`,
      archive: `${stem}.a`,
      dependencies: `${stem}.d`,
      cache: join(this.#context.cache, this.#kind),
    };
  }

  #command(files: CompileFiles): string[] {
    return compileCommand(this.#kind, this.#compiler, files, this.#context);
  }

  /** Runs the compiler. */
  async #run(files: CompileFiles): Promise<CommandResult> {
    const command = this.#command(files);
    const { folder, signal } = this.#context;
    const result = await runCommand(command, {
      ...(folder !== "." && { folder }),
      ...(signal !== undefined && { signal }),
    });
    signal?.throwIfAborted();
    if (result === undefined) throw new Deno.errors.NotFound(`${command[0]} is gone`);
    const isC = this.#kind === "c" || this.#kind === "c++";
    const output = messagesOf(isC ? dialectOf(command) : "gcc", this.#source, result);
    if (result.code !== 0) {
      throw new CompileError([{ path: this.#source, command, code: result.code, output }]);
    }
    return { ...result, output };
  }

  #compiled(
    { objects, dependencies, absent, output }: CompiledObjects,
    files: CompileFiles,
    cached: boolean,
    milliseconds: number,
  ): CompiledSource {
    const source = this.#source;
    // The name identifies static variables over versions.
    const stem = basename(source) === "Cargo.toml" ? dirname(source) : source;
    return {
      inputs: objects.map((bytes, index) => ({ name: `${stem}${index === 0 ? ".o" : ".a"}`, bytes })),
      run: { source, command: this.#command(files), cached, milliseconds, output },
      dependencies,
      absent,
      ...(this.#compiler.runtime !== undefined && { runtime: this.#compiler.runtime }),
    };
  }
}

/**
 * Reads what Cargo prints with `--message-format=json` about the library that it has made: its archive, and whether it
 * was there already ("Cargo Book", External tools, Artifact messages).
 *
 * @throws {LoadError} `Unsupported` if it has made none.
 */
function readCargoMessages(text: string, manifest: string): { archive: string; isFresh: boolean } {
  for (const line of text.split("\n").toReversed()) {
    if (!line.startsWith("{")) continue;
    const { reason, filenames, fresh } = JSON.parse(line);
    if (reason !== "compiler-artifact") continue;
    const archive = (filenames as string[]).find((name) => /\.(?:a|lib)$/.test(name));
    if (archive !== undefined) return { archive, isFresh: fresh };
  }
  throw new LoadError("Unsupported", "Cannot build crate: Cargo has made no static library of it", {
    path: manifest,
    hint: "give the crate a library: a file src/lib.rs, or a section [lib] in Cargo.toml",
  });
}

function removeIfPossible(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch {
    // A compiler that was ended may still write; the folder is of no further use.
  }
}
