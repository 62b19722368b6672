/**
 * `smf doctor`: what this machine can do, and what to install for the rest.
 */
import { findCompiler, type ToolKind } from "../../build/compilers.ts";
import { runCommand } from "../../build/run_command.ts";
import { LoadError } from "../../errors/load_error.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../load/runtime/host.ts";
import { ModuleRegistry } from "../../registry/registry.ts";
import { SmfBuilder } from "../../smf/builder.ts";
import { Arch, Platform, SectionType, SymbolType } from "../../smf/enums.ts";
import { hostTarget, TARGETS } from "../../build/targets.ts";
import { type Command, ExitCode, type Output, printJson, UsageError } from "../terminal/command.ts";
import { readOptions } from "../terminal/options.ts";
import { nextStepLine } from "../terminal/problems.ts";
import { printable, table } from "../terminal/table.ts";
import { VERSION } from "../terminal/version.ts";

const HELP = `smf doctor [options]

Says what this machine can do: load and call modules, compile each language, build for
other systems, debug and profile; what this command is allowed to; and what to install or
allow for the rest. Looks only at what its permissions let it: --allow-ffi to load,
--allow-run for compilers and debuggers, --allow-read for limits of the system.

  --json              print one JSON document
  --color WHEN        auto (default), always or never

Exit codes: 0 modules can be loaded, 1 they cannot, 2 wrong usage.

Examples:
  smf doctor --json
  deno run --allow-ffi --allow-run --allow-read jsr:@simple/loader/cli doctor`;

/** One thing that was looked at. */
interface Check {
  readonly name: string;
  /** Whether it works; undefined if permissions do not let it be tried. */
  readonly works: boolean | undefined;
  /** The finding: a version, a limit, or the problem. */
  readonly found: string;
  /** The next step: a program to install, or a permission to give. */
  readonly next?: string;
}

export const doctor: Command = {
  help: HELP,
  async run(args: readonly string[], output: Output): Promise<number> {
    const options = readOptions(args, { switches: ["json"] }, output);
    if (options.rest.length > 0) throw new UsageError(`takes no arguments; '${options.rest[0]}' is one`);
    const { writer } = options;
    const { style } = writer;
    const loads = checkLoading();
    const checks = [
      loads,
      checkPermissions(),
      ...await checkCompilers(),
      ...await checkTools(),
      checkMaps(),
    ];
    if (options.has("json")) {
      printJson(writer, "doctor", { smf: VERSION, deno: Deno.version.deno, checks });
    } else {
      const marks = checks.map(({ works }) => works === undefined ? "?" : works ? "yes" : "no");
      const rows = table([
        ["", "smf", VERSION],
        ["", "Deno", `${Deno.version.deno}, V8 ${Deno.version.v8}`],
        ...checks.map(({ name, found }, index) => [marks[index], name, printable(found)]),
      ]);
      const looks = { yes: style.good, no: style.bad, "?": style.warning };
      rows.forEach((row, index) => {
        const mark = marks[index - 2] as keyof typeof looks | undefined;
        writer.print(mark === undefined ? row : looks[mark](row));
        const next = checks[index - 2]?.next;
        if (next !== undefined) writer.print(`     ${nextStepLine(next, style)}`);
      });
    }
    return loads.works === false ? ExitCode.BAD_INPUT : ExitCode.OK;
  },
};

/** The instruction that returns from a function, by processor. */
const RETURN: Readonly<Record<number, readonly number[]>> = {
  [Arch.X86_64]: [0xc3],
  [Arch.Aarch64]: [0xc0, 0x03, 0x5f, 0xd6],
};

/** Loads a module of one function and calls it, which shows what hardened systems forbid. */
function checkLoading(): Check {
  const name = "load and call";
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { name, works: undefined, found: "not tried", next: "run again with --allow-ffi" };
  }
  try {
    const builder = new SmfBuilder({ platform: HOST_PLATFORM, arch: HOST_ARCH });
    const bytes = new Uint8Array(RETURN[HOST_ARCH] ?? []);
    builder.section({ name: "code", type: SectionType.Code, bytes });
    builder.symbol({ name: "nothing", type: SymbolType.Function, size: bytes.length });
    using registry = new ModuleRegistry({ crashReport: false });
    const module = registry.loadBytes("doctor", builder.build());
    module.bind({ nothing: { parameters: [], result: "void" } }).symbols.nothing();
    const paths = module.callPaths().map(({ path }) => `${path} calls`);
    const reason = module.fallbackReason;
    return {
      name,
      works: true,
      found: [`${Deno.build.arch}`, ...paths, ...(reason === undefined ? [] : [reason])].join(", "),
    };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { name, works: false, found: error.message, next: error.hint };
  }
}

/** The permissions that this package uses, and for what. */
const PERMISSIONS = [
  ["ffi", "load and call"],
  ["read", "read modules and sources"],
  ["write", "build"],
  ["run", "run compilers"],
  ["env", "let CC and CXX name compilers"],
] as const;

/** The permissions that this process has; a path or a program alone counts as none. */
function checkPermissions(): Check {
  const isGranted = ([name]: (typeof PERMISSIONS)[number]): boolean =>
    Deno.permissions.querySync({ name }).state === "granted";
  const granted = PERMISSIONS.filter(isGranted).map(([name]) => name);
  const missing = PERMISSIONS.filter((each) => !isGranted(each));
  return {
    name: "permissions",
    works: missing.length === 0 ? true : undefined,
    found: granted.join(", ") || "none",
    ...(missing.length > 0 && {
      next: missing.map(([name, purpose]) => `--allow-${name} to ${purpose}`).join(", "),
    }),
  };
}

const LANGUAGES: readonly (readonly [title: string, kind: ToolKind])[] = [
  ["C", "c"],
  ["C++", "c++"],
  ["Rust", "rust"],
  ["Rust crates", "cargo"],
  ["Zig", "zig"],
];

/** Compilers of C that are not found first, by their commands, with the next step where they are not there. */
const OTHER_COMPILERS: readonly (readonly [title: string, command: string, next: string])[] = [
  ["TinyCC", "tcc", "install tcc to compile C in milliseconds (smf dev --compiler tcc)"],
  ...HOST_PLATFORM === Platform.Windows
    ? [["Microsoft C", "cl", "run again in a developer command prompt of Visual Studio"]] as const
    : [],
];

/** Whether programs may be run: without that, nothing is tried, so that nobody is asked. */
function mayRun(): boolean {
  return Deno.permissions.querySync({ name: "run" }).state === "granted";
}

async function checkCompilers(): Promise<Check[]> {
  if (!mayRun()) {
    return [{ name: "compilers", works: undefined, found: "not tried", next: "run again with --allow-run" }];
  }
  return await Promise.all([
    ...LANGUAGES.map(([name, kind]) => checkCompiler(name, kind)),
    ...OTHER_COMPILERS.map(([name, command, next]) => checkCompiler(name, "c", command, next)),
    checkTargets(),
  ]);
}

/** @param missing The next step if a compiler that is asked for by its command is not there. */
async function checkCompiler(name: string, kind: ToolKind, asked?: string, missing?: string): Promise<Check> {
  try {
    const { command, version } = await findCompiler(kind, asked);
    return { name, works: true, found: `${command.join(" ")}: ${version}` };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    // The error tells callers of build() that they have named it, which nobody has here.
    const isMissing = error.kind === "Unsupported" && error.data.commands !== undefined;
    const found = asked !== undefined && isMissing ? `there is no '${asked}'` : error.message;
    return { name, works: false, found, next: missing ?? error.hint };
  }
}

/** The systems that C and C++ can be compiled for here. */
async function checkTargets(): Promise<Check> {
  const name = "targets";
  const here = hostTarget();
  try {
    const { command } = await findCompiler("c", undefined, true);
    return { name, works: true, found: `${Object.keys(TARGETS).join(", ")}: ${command.join(" ")}` };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    const found = here === undefined ? "none" : `${here} alone`;
    return { name, works: false, found, next: `to build for others: ${error.hint}` };
  }
}

/** Debuggers and profilers that this package supports. */
const TOOLS = [
  ["gdb", "debug modules (the option `debug`)"],
  ["lldb", "debug modules (the option `debug`)"],
  ["perf", "profile modules (`perfMap`, `jitdump`)"],
] as const;

async function checkTools(): Promise<Check[]> {
  if (!mayRun()) return [];
  return await Promise.all(TOOLS.map(async ([name, purpose]) => {
    const result = await runCommand([name, "--version"]);
    return result?.code === 0
      ? { name, works: true, found: result.stdout.trim().split("\n", 1)[0] }
      : { name, works: false, found: "there is no such program", next: `install it to ${purpose}` };
  }));
}

/** The mappings that the system lets a process have; each version of a module takes some. */
function checkMaps(): Check {
  const name = "memory maps", path = "/proc/sys/vm/max_map_count";
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") {
    return { name, works: undefined, found: "not looked at", next: `run again with --allow-read=${path}` };
  }
  try {
    const count = Number(Deno.readTextFileSync(path));
    const works = count >= 65_530;
    return {
      name,
      works,
      found: `${count} for a process`,
      ...(!works && { next: "raise vm.max_map_count, if you load thousands of modules" }),
    };
  } catch {
    return { name, works: true, found: "this system has no limit of them" };
  }
}
