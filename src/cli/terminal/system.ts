/**
 * The names of systems: as `Deno.build` has them, as npm packages have them, and as `deno compile --target` has them.
 */
import { type Host, HOST_ARCH, HOST_PLATFORM } from "../../load/runtime/host.ts";
import { Arch } from "../../smf/enums.ts";
import { UsageError } from "./command.ts";
import { PLATFORMS } from "./platforms.ts";

const ARCHES: Readonly<Record<string, Arch>> = { x86_64: Arch.X86_64, aarch64: Arch.Aarch64 };

/** Other spellings. */
const SYNONYMS: Readonly<Record<string, string>> = {
  darwin: "macos",
  win32: "windows",
  x64: "x86_64",
  amd64: "x86_64",
  arm64: "aarch64",
};

/** Target triples: `x86_64-unknown-linux-gnu`, `aarch64-apple-darwin`, `x86_64-pc-windows-msvc`. */
const TRIPLE = /^([^-]+)-[^-]+-(linux|darwin|windows|freebsd)(?:-[^-]+)?$/;

/**
 * The system of a name.
 *
 * @param name `host`, `linux-arm64`, `linux-aarch64`, `aarch64-unknown-linux-gnu`; undefined stays so.
 * @throws {UsageError} if there is no such system.
 */
export function systemOf(name: string | undefined): Host | undefined {
  if (name === undefined) return undefined;
  if (name === "host") return { platform: HOST_PLATFORM, arch: HOST_ARCH };
  const [, second, first] = TRIPLE.exec(name) ?? [];
  const [given, ...rest] = second === undefined ? name.split("-") : [first, second];
  const [system, processor] = [given, rest.join("-")].map((word) =>
    Object.hasOwn(SYNONYMS, word) ? SYNONYMS[word] : word
  );
  if (Object.hasOwn(PLATFORMS, system) && Object.hasOwn(ARCHES, processor)) {
    return { platform: PLATFORMS[system], arch: ARCHES[processor] };
  }
  const systems = Object.keys(PLATFORMS).join(", ");
  throw new UsageError(
    `--for takes host, or one of ${systems} with -x86_64 or -aarch64 (-x64, -arm64), not '${name}'`,
  );
}
