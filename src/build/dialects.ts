/**
 * The command lines of C and C++ compilers: which one a command takes, its version, the flags with which it makes code
 * for modules, and where it prints what.
 *
 * | dialect | compilers | list of headers | messages | types |
 * |---|---|---|---|---|
 * | `gcc` | gcc, clang, zig cc | `-MMD` | standard error | yes |
 * | `clang-cl` | clang with the options of cl | `/clang:-MMD` | standard error | yes, by `-gdwarf` |
 * | `cl` | Microsoft's | `/sourceDependencies` | standard output | no: CodeView alone |
 * | `tcc` | TinyCC, C alone | `-MD` | standard error | no: stabs; newer ones DWARF |
 *
 * Microsoft's own compiler was never run by the authors: its options are those of its documentation ("Compiler Options
 * Listed Alphabetically"), and those that clang-cl has too are tried with that.
 */
import { LoadError } from "../errors/load_error.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../load/runtime/host.ts";
import { basename } from "../os/path.ts";
import { Arch, Platform } from "../smf/enums.ts";
import type { CompileFiles, CompileFlags } from "./compiler_run.ts";
import type { CommandResult } from "./run_command.ts";

/** The kind of command line that a C compiler takes. */
export type Dialect = "gcc" | "clang-cl" | "cl" | "tcc";

/** A C or C++ compiler, as far as its command line depends on it. */
interface CCompiler {
  readonly command: readonly string[];
  readonly version: string;
}

/** The dialect of a command, by the name of its program, which may have another one before it: `ccache cl`. */
export function dialectOf(command: readonly string[]): Dialect {
  if (command.includes("--driver-mode=cl")) return "clang-cl";
  for (const word of command) {
    const name = basename(word).toLowerCase().replace(/\.exe$/, "");
    if (/^clang-cl(?:-[\d.]+)?$/.test(name)) return "clang-cl";
    if (name === "cl") return "cl";
    if (/^(?:.*-)?tcc(?:-[\d.]+)?$/.test(name)) return "tcc";
  }
  return "gcc";
}

/** Whether a module needs definitions because a command may write no types that the linker reads. */
export function leavesOutTypes(command: readonly string[]): boolean {
  return ["cl", "tcc"].includes(dialectOf(command)) || isZigForWindows(command);
}

/** Whether Zig itself compiles for Windows, where it writes CodeView and has no option for anything else. */
function isZigForWindows(command: readonly string[]): boolean {
  if (command[1] !== "build-obj") return false;
  const at = command.indexOf("-target");
  return at < 0 ? HOST_PLATFORM === Platform.Windows : command[at + 1].includes("-windows");
}

/** Whether a compiler is the C or C++ compiler of Zig. */
export function isZigC({ command }: CCompiler): boolean {
  return command.length > 1 && /^zig\b/.test(basename(command[0])) && /^c(?:c|\+\+)$/.test(command[1]);
}

/** Whether a compiler is clang, by its own words. */
function isClang({ version }: CCompiler): boolean {
  return /\bclang\b/.test(version);
}

/** The arguments that ask a compiler for its version. */
export function versionArguments(dialect: Dialect): readonly string[] {
  // Without arguments cl tells its version, and has no option for that.
  return dialect === "cl" ? [] : dialect === "tcc" ? ["-v"] : ["--version"];
}

/**
 * The version in what a compiler has answered; undefined if the answer is not that of such a compiler: `cl` may be
 * another program.
 *
 * @throws {LoadError} `Unsupported` for a cl that cannot list the headers of a source.
 */
export function versionIn(
  dialect: Dialect,
  { code, stdout, output }: Pick<CommandResult, "code" | "stdout" | "output">,
): string | undefined {
  if (dialect !== "cl") return code === 0 ? firstLine(stdout) : undefined;
  // The words of the line are in the user's language, but for these.
  const version = firstLine(output);
  const [, major, minor] = /^Microsoft .*?\b(\d+)\.(\d+)\.\d+/.exec(version) ?? [];
  if (major === undefined) return undefined;
  if (Number(major) * 100 + Number(minor) >= 1927) return version;
  throw new LoadError(
    "Unsupported",
    `Cannot compile with cl ${major}.${minor}: it has no /sourceDependencies`,
    {
      hint: "install Visual Studio 2019 16.7 (cl 19.27) or later, or clang",
    },
  );
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0].trim();
}

/** The messages of a compiler, unchanged; cl writes them behind the name of the source, to standard output. */
export function messagesOf(dialect: Dialect, source: string, { stdout, output }: CommandResult): string {
  if (dialect !== "cl") return output;
  const [, first, rest] = /^([^\r\n]*)\r?\n?(.*)$/s.exec(stdout)!;
  return (first === basename(source) ? rest : stdout) + output;
}

/**
 * The command that compiles C or C++.
 *
 * @throws {LoadError} `Unsupported` for assembly and a compiler that takes none.
 */
export function cCommand(
  isCpp: boolean,
  compiler: CCompiler,
  files: CompileFiles,
  flags: CompileFlags,
): string[] {
  const dialect = dialectOf(compiler.command);
  switch (dialect) {
    case "gcc":
      return gccCommand(compiler, files, flags);
    case "tcc":
      return tccCommand(compiler, files, flags);
    case "cl":
    case "clang-cl":
      return clCommand(dialect, isCpp, compiler, files, flags);
  }
}

/**
 * `-fPIC` for code that may lie anywhere, `-g` for the types of exports, and a section for each function and variable,
 * so that unused ones are left out and a reload keeps each variable by itself.
 */
const FOR_MODULES = ["-O2", "-g", "-fPIC", "-ffunction-sections", "-fdata-sections"];

/**
 * All code for Windows may lie anywhere, and clang refuses `-fPIC` there. For Microsoft's environment it would write
 * types as CodeView, and the time into objects, so that no two are equal; zig writes CodeView for all of Windows.
 */
const FOR_WINDOWS = FOR_MODULES.filter((flag) => flag !== "-fPIC");
const ZIG_FOR_WINDOWS = ["-gdwarf"];
const CLANG_FOR_WINDOWS = ["-gdwarf", "-mno-incremental-linker-compatible"];

function gccCommand(
  compiler: CCompiler,
  { source, object, dependencies }: CompileFiles,
  { flags, color, target }: CompileFlags,
): string[] {
  const isZig = isZigC(compiler), { arch, platform } = target ?? { arch: HOST_ARCH, platform: HOST_PLATFORM };
  const isWindows = platform === Platform.Windows;
  return [
    ...compiler.command,
    ...(isWindows ? FOR_WINDOWS : FOR_MODULES),
    ...(isWindows && isClang(compiler) ? isZig ? ZIG_FOR_WINDOWS : CLANG_FOR_WINDOWS : []),
    ...(isClang(compiler) && arch === Arch.Aarch64 ? ["-mno-global-merge"] : []),
    ...(target !== undefined && isZig ? ["-target", target.zig] : []),
    ...(isZig ? ["-mcpu=baseline", "-fno-sanitize=undefined"] : []),
    ...(color ? ["-fdiagnostics-color=always"] : []),
    ...flags,
    "-c",
    source,
    "-MMD",
    "-MF",
    dependencies,
    "-o",
    object,
  ];
}

/** TinyCC takes other flags of gcc without a word, and reads `-gdwarf` as `-g` where it cannot write DWARF. */
function tccCommand(
  { command }: CCompiler,
  { source, object, dependencies }: CompileFiles,
  { flags }: CompileFlags,
): string[] {
  return [
    ...command,
    "-gdwarf",
    "-fPIC",
    ...flags,
    "-c",
    source,
    "-MD",
    "-MF",
    dependencies,
    "-o",
    object,
  ];
}

/**
 * `/Zl` and `/GS-` because the static part of Microsoft's C runtime is not linked, `/MD` because functions are those
 * of its DLLs; `/Gy` and `/Gw` give each function and variable a section; with `/Brepro` equal sources give equal
 * objects; sources are UTF-8 as for other compilers.
 */
const CL_FOR_MODULES = ["/nologo", "/O2", "/Gy", "/Gw", "/Zl", "/GS-", "/MD", "/utf-8", "/Brepro"];

/**
 * Exceptions as C++ has them, and no lock around the first use of a static variable: that takes a thread-local one, and
 * modules with thread-local variables need permissions to write files on Windows.
 */
const CL_FOR_CPP = ["/EHsc", "/Zc:threadSafeInit-"];

function clCommand(
  dialect: "cl" | "clang-cl",
  isCpp: boolean,
  { command }: CCompiler,
  { source, object, dependencies }: CompileFiles,
  { flags, color }: CompileFlags,
): string[] {
  const isClang = dialect === "clang-cl", isAssembly = /\.s$/i.test(source);
  if (isAssembly && !isClang) {
    throw new LoadError("Unsupported", "Cannot compile assembly with cl: it takes C and C++ alone", {
      path: source,
      hint: "give the object that ml64 makes of it",
    });
  }
  return [
    ...command,
    ...CL_FOR_MODULES,
    ...(isCpp ? CL_FOR_CPP : []),
    ...(isAssembly ? [] : [isCpp ? "/TP" : "/TC"]),
    ...(isClang ? ["-gdwarf"] : ["/Z7"]),
    ...(isClang && color ? ["-Xclang", "-fcolor-diagnostics"] : []),
    ...flags,
    "/c",
    ...(isClang
      ? ["/clang:-MMD", `/clang:-MF${dependencies}`, `/Fo${object}`, "--"]
      : ["/sourceDependencies", dependencies, `/Fo${object}`]),
    source,
  ];
}
