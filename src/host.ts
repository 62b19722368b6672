/**
 * What this process runs on, in the format's own numbers.
 */

import { LoadError } from "./errors.ts";
import { Arch, archName, Platform, platformName } from "./smf/enums.ts";
import type { SmfHeader } from "./smf/header.ts";

const PLATFORMS: Partial<Record<typeof Deno.build.os, Platform>> = {
  linux: Platform.Linux,
  windows: Platform.Windows,
  darwin: Platform.MacOS,
  freebsd: Platform.FreeBSD,
};

const ARCHES: Record<typeof Deno.build.arch, Arch> = {
  x86_64: Arch.X86_64,
  aarch64: Arch.Aarch64,
};

/** The operating system, as a module's header names it; `None` for one that it has no number for. */
export const HOST_PLATFORM: Platform = PLATFORMS[Deno.build.os] ?? Platform.None;

/** The processor, as a module's header names it. */
export const HOST_ARCH: Arch = ARCHES[Deno.build.arch];

/**
 * Refuses a module made for another system.
 *
 * @throws {LoadError} `IncompatiblePlatform`, `IncompatibleArch`.
 */
export function checkHost(header: SmfHeader): void {
  const { platform, arch } = header;
  if (platform !== Platform.Any && platform !== HOST_PLATFORM) {
    const names = `${platformName(platform)}, this is ${platformName(HOST_PLATFORM)}`;
    throw new LoadError("IncompatiblePlatform", `Cannot load module: it is made for ${names}`, {
      value: platform,
    });
  }
  if (arch !== HOST_ARCH) {
    const names = `${archName(arch)}, this is ${archName(HOST_ARCH)}`;
    throw new LoadError("IncompatibleArch", `Cannot load module: it is made for ${names}`, { value: arch });
  }
}

/**
 * Refuses a file with thread-local variables where nothing makes them for code
 * in memory: a system knows only those of its own libraries.
 *
 * @throws {LoadError} `Unsupported`.
 */
export function checkThreadLocals(): void {
  if (HOST_PLATFORM === Platform.Linux) return;
  throw new LoadError(
    "Unsupported",
    `Cannot load module: it has thread-local variables, which ${
      platformName(HOST_PLATFORM)
    } makes for its own ` +
      "libraries only",
  );
}
