// The section that names the host libraries of a module.
import { assertEquals, assertThrows } from "@std/assert";
import { Compression, SectionType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { hostLibrariesBytes } from "../../src/smf/host_libraries.ts";
import { assertLoadError, hostBuilder } from "../support/testing.ts";

/** The libraries of a module with sections of these bytes. */
function read(...sections: Uint8Array[]): string[] {
  const builder = hostBuilder({ compression: Compression.Zstd });
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  for (const bytes of sections) {
    builder.section({ name: ".libraries", type: SectionType.HostLibraries, bytes });
  }
  return parseSmf(builder.build()).hostLibraries();
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

Deno.test("names are read in order, each once, from all such sections", () => {
  assertEquals(read(), []);
  assertEquals(read(new Uint8Array(0)), []);
  const first = hostLibrariesBytes(["libm.so.6", "/opt/ü/liba.so"]);
  assertEquals(read(first, hostLibrariesBytes(["libm.so.6", "b"])), ["libm.so.6", "/opt/ü/liba.so", "b"]);
});

Deno.test("anything else is refused", () => {
  const cases = [
    text("libm.so.6"),
    text("\0"),
    text("a\0\0"),
    Uint8Array.of(0xff, 0),
    new Uint8Array(65_537),
  ];
  for (const bytes of cases) assertLoadError(() => read(bytes), "InvalidFormat", { section: ".libraries" });
  for (const name of ["", "a\0b"]) assertThrows(() => hostLibrariesBytes([name]), TypeError);
});
