/**
 * The operating system and processor of this process, in the format's numbers.
 */

import { LoadError, raise, type Report } from "../../errors/load_error.ts";
import { type ProcessorWords, processorWords } from "../../os/processor.ts";
import { cpuName } from "../../smf/cpu.ts";
import { Arch, archName, Platform, platformName } from "../../smf/enums.ts";
import type { SmfHeader } from "../../smf/header.ts";
import { missingFeatures } from "./processor.ts";

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

/** This operating system, as a module's header names it; `None` if the format has no number for it. */
export const HOST_PLATFORM: Platform = PLATFORMS[Deno.build.os] ?? Platform.None;

/** This processor, as a module's header names it. */
export const HOST_ARCH: Arch = ARCHES[Deno.build.arch];

/** A system to load modules on. */
export interface Host {
  readonly platform: Platform;
  readonly arch: Arch;
  /** Asks its processor for its features, if a module needs more than the baseline. Absent: they are not checked. */
  readonly processor?: () => ProcessorWords;
}

const HOST: Host = { platform: HOST_PLATFORM, arch: HOST_ARCH, processor: processorWords };

/**
 * Refuses a module made for another system.
 *
 * @param host The system that would load the module. Default: this one.
 * @param report Called for a wrong platform and for a wrong processor.
 * @throws {LoadError} `IncompatiblePlatform`, `IncompatibleArch`.
 */
export function checkHost(header: SmfHeader, host: Host = HOST, report: Report = raise): void {
  const { platform, arch } = header;
  if (platform !== Platform.Any && platform !== host.platform) {
    const names = `${platformName(platform)}, this is ${platformName(host.platform)}`;
    const problem = `Cannot load module: it is made for ${names}`;
    report(new LoadError("IncompatiblePlatform", problem, { value: platform }));
  }
  if (arch !== host.arch) {
    const names = `${archName(arch)}, this is ${archName(host.arch)}`;
    report(new LoadError("IncompatibleArch", `Cannot load module: it is made for ${names}`, { value: arch }));
  } else if (header.cpu !== 0 && host.processor !== undefined) {
    checkProcessor(header, host.processor(), report);
  }
}

function checkProcessor({ arch, cpu }: SmfHeader, words: ProcessorWords, report: Report): void {
  const missing = missingFeatures(arch, cpu, words);
  if (missing?.length === 0) return;
  const name = cpuName(arch, cpu);
  const problem = missing === undefined
    ? `it needs ${name}, which this package does not know`
    : `it needs ${name}, and this processor lacks ${missing.join(", ")}`;
  report(
    new LoadError("IncompatibleArch", `Cannot load module: ${problem}`, {
      value: name,
      ...(missing === undefined
        ? { hint: "use a version of this package that knows it" }
        : { features: missing, hint: `compile it without -march=${name}, or load it on such a processor` }),
    }),
  );
}

/**
 * Refuses a file with thread-local variables where the system provides them to
 * its own libraries only.
 *
 * Platforms: Linux and Windows are the only systems that load such a file.
 *
 * @param platform The system that would load the file. Default: this one.
 * @throws {LoadError} `Unsupported`.
 */
export function checkThreadLocals(platform: Platform = HOST_PLATFORM): void {
  if (platform === Platform.Linux || platform === Platform.Windows) return;
  throw new LoadError(
    "Unsupported",
    `Cannot load module: it has thread-local variables, which ${
      platformName(platform)
    } provides to its own ` +
      "libraries only",
    { hint: "replace the module's thread-local variables, or load it on Linux or Windows" },
  );
}
