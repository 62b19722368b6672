// The names of systems.
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import { systemOf } from "../../../src/cli/terminal/system.ts";
import { Arch, Platform } from "../../../src/smf/enums.ts";

Deno.test("a system has the names that Deno.build, npm packages and deno compile give it", () => {
  const linux = { platform: Platform.Linux, arch: Arch.Aarch64 };
  for (const name of ["linux-aarch64", "linux-arm64", "aarch64-unknown-linux-gnu"]) {
    assertEquals(systemOf(name), linux);
  }
  const macos = { platform: Platform.MacOS, arch: Arch.Aarch64 };
  for (const name of ["macos-aarch64", "darwin-arm64", "aarch64-apple-darwin"]) {
    assertEquals(systemOf(name), macos);
  }
  const windows = { platform: Platform.Windows, arch: Arch.X86_64 };
  for (const name of ["windows-x86_64", "win32-x64", "windows-x64", "x86_64-pc-windows-msvc"]) {
    assertEquals(systemOf(name), windows);
  }
  assertEquals(systemOf(undefined), undefined);
});

Deno.test("other names are wrong usage", () => {
  for (
    const name of ["", "linux", "x86_64", "linux-x86", "beos-x64", "linux-constructor", "constructor-x64"]
  ) {
    assertThrows(() => systemOf(name), UsageError, "linux, windows, macos, freebsd");
  }
});
