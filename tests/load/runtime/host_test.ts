import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { checkHost, checkThreadLocals, HOST_ARCH, HOST_PLATFORM } from "../../../src/load/runtime/host.ts";
import { SmfBuilder } from "../../../src/smf/builder.ts";
import { Arch, Platform, SectionType } from "../../../src/smf/enums.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { assertLoadError } from "../../support/testing.ts";

function headerFor(platform: number, arch: number, cpu = 0) {
  const builder = new SmfBuilder({ platform, arch, cpu });
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(1) });
  return parseSmf(builder.build()).header;
}

Deno.test("the format has numbers for this system and processor", () => {
  const platforms: Record<string, number> = { linux: 1, windows: 2, darwin: 3, freebsd: 4 };
  assertEquals(HOST_PLATFORM, (platforms[Deno.build.os] ?? 5) as Platform);
  assertEquals(HOST_ARCH, { x86_64: 0, aarch64: 1 }[Deno.build.arch] as Arch);
});

Deno.test("modules for this system, and for any, are accepted", () => {
  checkHost(headerFor(HOST_PLATFORM, HOST_ARCH));
  checkHost(headerFor(Platform.Any, HOST_ARCH));
});

Deno.test("modules for every other system are refused, naming both", () => {
  for (const [name, platform] of Object.entries(Platform)) {
    if (platform === Platform.Any || platform === HOST_PLATFORM) continue;
    const error = assertLoadError(
      () => checkHost(headerFor(platform, HOST_ARCH)),
      "IncompatiblePlatform",
      { value: platform },
    );
    assert(error.message.includes(`made for ${name}, this is `), error.message);
  }
});

Deno.test("modules for every other processor are refused, naming both", () => {
  for (const [name, arch] of Object.entries(Arch)) {
    if (arch === HOST_ARCH) continue;
    for (const platform of [HOST_PLATFORM, Platform.Any]) {
      const error = assertLoadError(() => checkHost(headerFor(platform, arch)), "IncompatibleArch", {
        value: arch,
      });
      assert(error.message.includes(`made for ${name}, this is `), error.message);
    }
  }
  assertNotEquals(HOST_ARCH, Arch.X86);
});

Deno.test("modules that need more than the processor has are refused, naming every missing feature", () => {
  const host = {
    platform: Platform.Linux,
    arch: Arch.X86_64,
    processor: () => ({ leaf1: -1 & ~(1 << 12), leaf7: -1 & ~(1 << 8), extended: -1, xcr0: -1, hwcap: 0 }),
  };
  const headerOf = (cpu: number) => headerFor(Platform.Linux, Arch.X86_64, cpu);
  checkHost(headerOf(1), host);
  const error = assertLoadError(() => checkHost(headerOf(2), host), "IncompatibleArch", {
    value: "x86-64-v3",
    features: ["BMI2", "FMA"],
  });
  assert(error.message.includes("it needs x86-64-v3, and this processor lacks BMI2, FMA"), error.message);
  assert(error.hint.includes("-march=x86-64-v3"), error.hint);
  const unknown = assertLoadError(() => checkHost(headerOf(9), host), "IncompatibleArch");
  assert(unknown.message.includes("which this package does not know"), unknown.message);
});

Deno.test("the processor is asked only if a module needs more than the baseline", () => {
  const processor = () => {
    throw new Error("asked");
  };
  checkHost(headerFor(Platform.Linux, Arch.X86_64), {
    platform: Platform.Linux,
    arch: Arch.X86_64,
    processor,
  });
});

Deno.test("files with thread-local variables are refused on other systems than Linux and Windows, with a hint", () => {
  checkThreadLocals(Platform.Linux);
  checkThreadLocals(Platform.Windows);
  for (const [name, platform] of Object.entries(Platform)) {
    if (platform === Platform.Linux || platform === Platform.Windows) continue;
    const error = assertLoadError(() => checkThreadLocals(platform), "Unsupported");
    assert(error.message.includes(`which ${name} provides to its own libraries only`), error.message);
    assert(error.hint.includes("load it on Linux"), error.hint);
  }
});
