// Builds a program twice from one object: as a native executable, and as three versions of a module.
import { basename } from "@std/path";
import { LoadError } from "../../src/errors/load_error.ts";
import { SymbolKind } from "../../src/os/elf.ts";
import { ElfWriter } from "../../src/os/elf_writer.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { CODE, DATA } from "../support/objects.ts";

/** A way to compile, by the compiler for C; that for C++ has the same options. */
export interface Variant {
  readonly name: string;
  readonly c: string;
  readonly cpp: string;
  readonly flags: readonly string[];
}

/** Every way in which programs are compiled; those whose compiler is missing are left out by the caller. */
export const VARIANTS: readonly Variant[] = [
  { name: "gcc -O0", c: "gcc", cpp: "g++", flags: ["-O0"] },
  { name: "gcc -O2", c: "gcc", cpp: "g++", flags: ["-O2"] },
  { name: "clang -O2", c: "clang", cpp: "clang++", flags: ["-O2"] },
  { name: "gcc -O2 -fno-pic", c: "gcc", cpp: "g++", flags: ["-O2", "-fno-pic"] },
  { name: "clang -O0 -fno-pic", c: "clang", cpp: "clang++", flags: ["-O0", "-fno-pic"] },
];

/** How often main is called: once a version. */
export const VERSIONS = 3;

/** What both sides pass to main. */
export const ARGUMENTS: readonly string[] = ["program", "one", "two 2"];

/** A program that was built, or why it was not. */
export type Build =
  | { readonly kind: "built"; readonly executable: string; readonly modules: readonly string[] }
  /** It does not compile or link natively either. */
  | { readonly kind: "skipped"; readonly reason: string }
  /** It is a native program, but the linker refuses it. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Calls the program's main as often as there are versions. Output of each call ends with the exit
 * code, in the same form as the module's side writes it.
 */
const DRIVER = `#include <stdio.h>
int __real_main(int, char **);
int __wrap_main(void) {
  for (int i = 0; i < ${VERSIONS}; i++) {
    char *arguments[] = { ${ARGUMENTS.map((text) => JSON.stringify(text)).join(", ")}, 0 };
    int code = __real_main(${ARGUMENTS.length}, arguments) & 255;
    printf("\\n[%d]\\n", code);
    fflush(NULL);
  }
  return 0;
}
`;

/** Compiles the driver into a folder. */
export async function buildDriver(folder: string): Promise<void> {
  Deno.writeTextFileSync(`${folder}/driver.c`, DRIVER);
  const problem = await run("gcc", ["-O1", "-c", "driver.c", "-o", "driver.o"], folder);
  if (problem !== undefined) throw new Error(problem);
}

/** Runs a tool; what it complains about if it fails. */
async function run(command: string, args: readonly string[], cwd: string): Promise<string | undefined> {
  const { success, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd,
    stdin: "null",
    stdout: "null",
  }).output();
  return success ? undefined : new TextDecoder().decode(stderr).trim() || `${command} failed`;
}

/** The options that a test of gcc's own suite asks for in a comment. */
export function wantedOptions(source: string): string[] {
  return [...source.matchAll(/\{\s*dg-(?:additional-)?options\s+"([^"]*)"\s*\}/g)]
    .flatMap(([, options]) => options.split(/\s+/))
    .filter((option) => option !== "" && !/^-(?:O|flto|static|shared|c$|S$|E$)/.test(option));
}

/** Builds a program in a folder that has the driver; `name` is unique there. */
export async function build(folder: string, name: string, source: string, variant: Variant): Promise<Build> {
  const isCpp = /\.(?:cpp|cc|C)$/.test(source);
  const compiler = isCpp ? variant.cpp : variant.c;
  const standard = isCpp ? ["-std=c++17"] : [];
  const wanted = wantedOptions(new TextDecoder("latin1").decode(Deno.readFileSync(source)));
  const plain = `${name}.o`, other = `${name}.other.o`, executable = `${folder}/${name}.exe`;
  const options = ["-fPIC", ...variant.flags, "-w", ...standard, ...wanted, "-c", source, "-o"];
  // The same object as in the module, so that they differ by linking and loading alone; GNU ld's --wrap
  // starts the driver.
  const isFixed = variant.flags.includes("-fno-pic");
  const link = [plain, "driver.o", "-Wl,--wrap=main", "-o", executable, "-lm", "-pthread"];
  if (isFixed) link.push("-no-pie");
  const problem = await run(compiler, [...options, plain], folder) ?? await run(compiler, link, folder) ??
    // The same program in other instructions, so that addresses inside of functions change too.
    await run(compiler, ["-fcf-protection=full", ...options, other], folder);
  if (problem !== undefined) return { kind: "skipped", reason: firstLine(problem) };
  const bytes = Deno.readFileSync(`${folder}/${plain}`);
  try {
    const versions = [
      [{ name: basename(source), bytes }],
      [shift(100), { name: basename(source), bytes: Deno.readFileSync(`${folder}/${other}`) }],
      [shift(260), { name: basename(source), bytes }],
    ];
    const modules = versions.map((inputs, version) => {
      const path = `${folder}/${name}.v${version}.smf`;
      Deno.writeFileSync(path, linkObjects(inputs, { entry: "main", reloadable: true }).bytes);
      return path;
    });
    return { kind: "built", executable, modules };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { kind: "refused", reason: `${error.message}; ${error.hint}` };
  }
}

function firstLine(text: string): string {
  return text.split("\n").find((line) => line.includes("error")) ?? text.split("\n")[0];
}

/** An object that moves the code and the variables of what is linked behind it. */
function shift(size: number): { name: string; bytes: Uint8Array } {
  const writer = new ElfWriter();
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(size), alignment: 16 });
  const data = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(size), alignment: 16 });
  const zeroed = writer.section({ name: ".bss", flags: DATA, size, alignment: 16 });
  // Exported by default, and so kept.
  writer.symbol({ name: "smf_shift_code", section: code, size, kind: SymbolKind.FUNC });
  writer.symbol({ name: "smf_shift_data", section: data, size, kind: SymbolKind.OBJECT });
  writer.symbol({ name: "smf_shift_zeroed", section: zeroed, size, kind: SymbolKind.OBJECT });
  return { name: "shift.o", bytes: writer.build() };
}
