/**
 * The systems that modules can be built for, on any other.
 */
import { didYouMean, nearestWord } from "../errors/names.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../load/runtime/host.ts";
import { Arch, Platform } from "../smf/enums.ts";

/** A system that modules are built for. */
export interface Target {
  /** Its name: `linux-x64`. */
  readonly name: string;
  readonly platform: Platform;
  readonly arch: Arch;
  /** Its name in what `smf build --target` writes, with the processor as `Deno.build` has it: `linux-x86_64`. */
  readonly system: string;
  /** Zig's name for it. */
  readonly zig: string;
  /** Rust's name for it. */
  readonly rust: string;
}

/** The targets by name. */
export const TARGETS: Readonly<Record<string, Target>> = Object.fromEntries([
  target("linux-x64", Platform.Linux, Arch.X86_64, "x86_64-linux-gnu", "x86_64-unknown-linux-gnu"),
  target("linux-arm64", Platform.Linux, Arch.Aarch64, "aarch64-linux-gnu", "aarch64-unknown-linux-gnu"),
  target("macos-x64", Platform.MacOS, Arch.X86_64, "x86_64-macos", "x86_64-apple-darwin"),
  target("macos-arm64", Platform.MacOS, Arch.Aarch64, "aarch64-macos", "aarch64-apple-darwin"),
  target("windows-x64", Platform.Windows, Arch.X86_64, "x86_64-windows-gnu", "x86_64-pc-windows-gnu"),
].map((each) => [each.name, each]));

function target(name: string, platform: Platform, arch: Arch, zig: string, rust: string): Target {
  const system = name.replace(/-.*/, arch === Arch.X86_64 ? "-x86_64" : "-aarch64");
  return { name, platform, arch, system, zig, rust };
}

/**
 * The target of a name.
 *
 * @throws {TypeError} if there is none.
 */
export function targetNamed(name: string): Target {
  if (Object.hasOwn(TARGETS, name)) return TARGETS[name];
  const names = Object.keys(TARGETS);
  throw new TypeError(
    `Cannot build module: there is no target '${name}'${didYouMean(nearestWord(name, names))}; ` +
      `the targets are ${names.join(", ")}`,
  );
}

/** The name of this system; undefined if modules are not built for it. */
export function hostTarget(): string | undefined {
  return Object.values(TARGETS).find(({ platform, arch }) => platform === HOST_PLATFORM && arch === HOST_ARCH)
    ?.name;
}
