/**
 * The languages that sources are written in: which compiler each needs, and with which flags it makes code for modules.
 */
import { LoadError } from "../errors/load_error.ts";
import { HOST_PLATFORM } from "../load/runtime/host.ts";
import { basename } from "../os/path.ts";
import { Platform } from "../smf/enums.ts";
import type { Compiler, ToolKind } from "./compilers.ts";
import { cCommand } from "./dialects.ts";
import type { CompileFiles, CompileFlags } from "./compiler_run.ts";
import type { Target } from "./targets.ts";

/** The kind of a file that a module is made of: a source for one of the compilers, or an object for the linker. */
export type SourceKind = ToolKind | "object";

const ENDINGS: Readonly<Record<string, SourceKind>> = {
  c: "c",
  s: "c",
  S: "c",
  C: "c++",
  cc: "c++",
  cpp: "c++",
  cxx: "c++",
  "c++": "c++",
  rs: "rust",
  zig: "zig",
  o: "object",
  obj: "object",
  a: "object",
};

/**
 * The kind of a source, by its name.
 *
 * @throws {LoadError} `Unsupported`.
 */
export function sourceKind(path: string): SourceKind {
  if (basename(path) === "Cargo.toml") return "cargo";
  const [, ending = ""] = /\.([^./\\]+)$/.exec(path) ?? [];
  if (Object.hasOwn(ENDINGS, ending)) return ENDINGS[ending];
  throw new LoadError("Unsupported", "Cannot build file: its name ends like none of the known languages", {
    path,
    hint: `give C, C++, assembly, Rust or Zig sources, a Cargo.toml, objects or archives: ${
      Object.keys(ENDINGS).map((ending) => `.${ending}`).join(" ")
    }`,
  });
}

/** The command that compiles a source of one language to an object. */
export function compileCommand(
  kind: ToolKind,
  compiler: Compiler,
  files: CompileFiles,
  flags: CompileFlags,
): string[] {
  const { command } = compiler;
  const { source, object, archive, dependencies, cache } = files;
  const { flags: own, color, target } = flags;
  switch (kind) {
    case "c":
    case "c++":
      return cCommand(kind === "c++", compiler, files, flags);
    case "rust":
      return [
        ...command,
        "--crate-type=staticlib",
        ...(own.some((flag) => flag.startsWith("--edition")) ? [] : ["--edition=2021"]),
        ...RUST_CODE,
        ...(target === undefined ? [] : [`--target=${target.rust}`]),
        ...(color ? ["--color=always"] : []),
        ...own,
        source,
        `--emit=obj=${object},link=${archive},dep-info=${dependencies}`,
      ];
    case "cargo":
      return [
        ...command,
        "rustc",
        "--quiet",
        "--release",
        "--lib",
        "--crate-type=staticlib",
        `--manifest-path=${source}`,
        `--target-dir=${cache}`,
        ...(target === undefined ? [] : [`--target=${target.rust}`]),
        ...(color ? ["--color=always"] : []),
        ...own,
        "--message-format=json-render-diagnostics",
        "--",
        ...RUST_CODE,
        `--emit=obj=${object}`,
      ];
    case "zig":
      return [
        ...command,
        "build-obj",
        ...(target === undefined ? [] : ["-target", target.zig]),
        "-mcpu=baseline",
        "-fPIC",
        "-O",
        "ReleaseFast",
        ...(color ? ["--color", "on"] : []),
        "--cache-dir",
        cache,
        ...own,
        source,
        `-femit-bin=${object}`,
      ];
  }
}

/** One object for the crate, whose public C functions are then the exports of the module. */
const RUST_CODE = ["-Copt-level=2", "-Ccodegen-units=1", "-Cdebuginfo=2", "-Crelocation-model=pic"];

/** The libraries, besides Linux' C library, that have the functions which compiled code of a language calls. */
export function neededLibraries(kinds: Iterable<SourceKind>, target?: Target): string[] {
  const platform = target?.platform ?? HOST_PLATFORM;
  // Each Windows 10 has the Universal C Runtime, and programs choose between several.
  if (platform === Platform.Windows) return ["ucrtbase.dll"];
  if (platform !== Platform.Linux) return [];
  const names = new Set<string>(["libm.so.6"]);
  for (const kind of kinds) {
    if (kind === "c++") names.add("libstdc++.so.6");
    if (kind !== "object") names.add("libgcc_s.so.1");
  }
  return [...names];
}
