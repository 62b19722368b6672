/** The compilers of each format, for the systems on which modules of their objects can run here. */
import { MINGW_RUNTIME } from "../../fixtures/build_coff.ts";
import type { LinkOptions } from "../../mod.ts";
import { Platform } from "../../src/smf/enums.ts";
import { hasCommand, hasRustTarget, RUSTC } from "../support/compilers.ts";
import type { Language } from "./sources.ts";

/** A compiler, and how modules are made of its objects. */
export interface Toolchain {
  /** For people, unique with `system` and `arch`. */
  readonly name: string;
  readonly format: "ELF" | "COFF" | "Mach-O";
  /** The system on which the modules run, as `Deno.build.os` has it. */
  readonly system: "linux" | "windows";
  readonly arch: "x86_64" | "aarch64";
  readonly languages: readonly Language[];
  /** The command with its options. */
  readonly command: readonly string[];
  /** Options for some languages. */
  readonly flags?: Partial<Record<Language, readonly string[]>>;
  /** The command that makes static libraries. */
  readonly archiver: readonly string[];
  /** Static libraries that the languages need; `driver` is the command that knows their paths. */
  readonly archives?: { readonly driver: string; readonly of: Partial<Record<Language, readonly string[]>> };
  readonly link: LinkOptions;
  /** Why it makes nothing here of some languages, whatever is installed. */
  readonly lacks?: Partial<Record<Language, string>>;
}

const NATIVE: readonly Language[] = ["C", "C++", "assembly", "C++ with its library"];
/** libstdc++, whose objects the modules are linked with, has its headers with gcc alone. */
const NO_HEADERS = { "C++ with its library": "no headers of libstdc++ for this target" };
/** C++'s library does not exist without the rest of C's. */
const HOSTED = { "C++ with its library": ["-fhosted"] };
const COMMON = ["-O2", "-w", "-ffreestanding", "-c"];
const STATIC_RUNTIME = ["libstdc++.a", "libgcc_eh.a", "libgcc.a"];
/** In emulation libstdc++ is not among the system's libraries. Functions for atomic variables are in libgcc.a. */
const ARM_ARCHIVES = {
  driver: "aarch64-linux-gnu-g++",
  of: {
    C: ["libgcc.a"],
    Rust: ["libgcc.a"],
    "C++": STATIC_RUNTIME,
    "C++ with its library": STATIC_RUNTIME,
  },
};
/** Import libraries of what Rust's standard library calls. */
const RUST_DLLS = ["advapi32", "bcrypt", "ntdll", "userenv", "ws2_32"].map((name) => `lib${name}.a`);
/** gcc for Windows. */
export const MINGW_GCC = "x86_64-w64-mingw32-gcc-win32";
const MINGW_ARCHIVES = {
  driver: MINGW_GCC,
  of: {
    /** Thread-local variables of C are in libgcc, too. */
    C: MINGW_RUNTIME,
    "C++": MINGW_RUNTIME,
    "C++ with its library": MINGW_RUNTIME,
    Rust: [...RUST_DLLS, ...MINGW_RUNTIME],
  },
};

/** What there is to say about a compiler and the headers of C++'s library. */
function libraryOf([command]: readonly string[]): Partial<Toolchain> {
  return command.includes("gcc") ? { flags: HOSTED } : { lacks: NO_HEADERS };
}

function linux(
  name: string,
  format: "ELF" | "Mach-O",
  arch: "x86_64" | "aarch64",
  command: readonly string[],
  archiver: readonly string[],
): Toolchain {
  const link = { platform: Platform.Linux, ...(arch === "x86_64" && { needed: ["libstdc++.so.6"] }) };
  const options = format === "ELF" ? ["-fPIC", ...COMMON] : COMMON;
  return {
    ...{
      name,
      format,
      arch,
      system: "linux",
      languages: NATIVE,
      command: [...command, ...options],
      archiver,
    },
    ...{ link, ...(arch === "aarch64" && { archives: ARM_ARCHIVES }), ...libraryOf(command) },
  };
}

function windows(
  name: string,
  command: readonly string[],
  archiver: readonly string[],
  more: Partial<Toolchain> = { archives: MINGW_ARCHIVES, link: {} },
): Toolchain {
  return {
    ...{ name, format: "COFF", system: "windows", arch: "x86_64", languages: NATIVE },
    ...{ command: [...command, ...COMMON], archiver, link: { needed: ["ucrtbase.dll"] } },
    ...libraryOf(command),
    ...more,
  };
}

/** Older processors than the one that compiles have to run Rust and zig's code, too. */
function rust(
  system: "linux" | "windows",
  arch: "x86_64" | "aarch64",
  more: Partial<Toolchain> = {},
): Toolchain {
  const target = system === "linux" ? `${arch}-unknown-linux-gnu` : `${arch}-pc-windows-gnu`;
  const options = ["--edition", "2021", "-O", "-C", "codegen-units=1", "--crate-type", "staticlib"];
  return {
    ...{ name: "rustc", format: system === "linux" ? "ELF" : "COFF", system, arch, languages: ["Rust"] },
    ...{ command: [RUSTC, "--target", target, ...options], archiver: [] },
    ...{ link: { exports: ["questions", "answer"], needed: system === "linux" ? ["libgcc_s.so.1"] : [] } },
    ...more,
  };
}

/** All of them. */
export const TOOLCHAINS: readonly Toolchain[] = [
  linux("gcc", "ELF", "x86_64", ["gcc"], ["ar"]),
  linux("clang", "ELF", "x86_64", ["clang", "--target=x86_64-linux-gnu"], ["llvm-ar"]),
  linux("zig", "ELF", "x86_64", ["zig", "cc", "-target", "x86_64-linux-gnu", "-mcpu=baseline"], [
    "zig",
    "ar",
  ]),
  linux("clang", "Mach-O", "x86_64", ["clang", "--target=x86_64-apple-macos11"], ["llvm-ar"]),
  linux("zig", "Mach-O", "x86_64", ["zig", "cc", "-target", "x86_64-macos", "-mcpu=baseline"], ["zig", "ar"]),
  rust("linux", "x86_64"),

  linux("gcc", "ELF", "aarch64", ["aarch64-linux-gnu-gcc"], ["aarch64-linux-gnu-ar"]),
  linux("clang", "ELF", "aarch64", ["clang", "--target=aarch64-linux-gnu"], ["llvm-ar"]),
  linux("zig", "ELF", "aarch64", ["zig", "cc", "-target", "aarch64-linux-gnu"], ["zig", "ar"]),
  linux("clang", "Mach-O", "aarch64", ["clang", "--target=arm64-apple-macos11"], ["llvm-ar"]),
  linux("zig", "Mach-O", "aarch64", ["zig", "cc", "-target", "aarch64-macos"], ["zig", "ar"]),
  rust("linux", "aarch64", { archives: ARM_ARCHIVES }),

  windows("gcc for MinGW", [MINGW_GCC], ["x86_64-w64-mingw32-ar"]),
  windows("clang for MinGW", ["clang", "--target=x86_64-w64-mingw32"], ["llvm-ar"]),
  windows("clang for MSVC", ["clang", "--target=x86_64-pc-windows-msvc"], ["llvm-ar"], {
    link: { needed: ["vcruntime140.dll", "ucrtbase.dll"] },
    flags: { "C++": ["-fexceptions", "-fcxx-exceptions"] },
  }),
  windows("zig", ["zig", "cc", "-target", "x86_64-windows-gnu", "-mcpu=baseline"], ["zig", "ar"]),
  rust("windows", "x86_64", { archives: MINGW_ARCHIVES }),

  ...(["x86_64", "aarch64"] as const).map((arch) =>
    rust("linux", arch, {
      format: "Mach-O",
      lacks: { Rust: "neither Debian nor npm has Rust's standard library for macOS" },
    })
  ),
];

/** Why a compiler makes nothing on this machine; undefined if it does. */
export function whyMissing({ command, archiver, archives, languages }: Toolchain): string | undefined {
  const missing = [command, archiver, archives === undefined ? [] : [archives.driver]]
    .flatMap(([first]) => first === undefined || hasCommand(first) ? [] : [first]);
  if (missing.length > 0) return `needs ${[...new Set(missing)].join(", ")}`;
  if (!languages.includes("Rust")) return undefined;
  const target = command[command.indexOf("--target") + 1];
  return hasRustTarget(target) ? undefined : `needs Rust's standard library for ${target}`;
}
