/**
 * Operating systems by the names that options take.
 */
import { Platform } from "../../smf/enums.ts";
import { UsageError } from "./command.ts";

/** The systems by name. */
export const PLATFORMS: Readonly<Record<string, Platform>> = {
  linux: Platform.Linux,
  windows: Platform.Windows,
  macos: Platform.MacOS,
  freebsd: Platform.FreeBSD,
};

/** Reads the value of `--platform` of a link. */
export function platformNamed(name: string): Platform {
  if (Object.hasOwn(PLATFORMS, name)) return PLATFORMS[name];
  throw new UsageError(`--platform takes ${Object.keys(PLATFORMS).join(", ")}, not '${name}'`);
}
