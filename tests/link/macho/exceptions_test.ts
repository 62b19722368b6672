// C++ from Mach-O objects: exceptions, objects with destructors, and instances of templates.
import { assert, assertEquals } from "@std/assert";
import { linkObjects, ModuleRegistry } from "../../../mod.ts";
import { LoadError } from "../../../src/errors/load_error.ts";
import { parseMachObject } from "../../../src/link/macho/object.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { FrameRecords } from "../../../src/smf/frame_records.ts";
import { isolated } from "../../support/isolated.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const FOLDER = new URL("../../../fixtures/macho/", import.meta.url);
const LIBRARY = "libstdc++.so.6";
const read = (name: string): Uint8Array => Deno.readFileSync(new URL(name, FOLDER));
const IS_LINUX = Deno.build.os === "linux";
const IS_X86_64 = Deno.build.arch === "x86_64";

function hasLibrary(): boolean {
  try {
    Deno.dlopen(LIBRARY, {}).close();
    return true;
  } catch {
    return false;
  }
}

const NOTHING = { parameters: [], result: "i32" } as const;
const I32 = { parameters: ["i32"], result: "i32" } as const;

function checkThrows(bytes: Uint8Array): void {
  using directory = new TemporaryDirectory();
  using registry = new ModuleRegistry();
  const { symbols } = registry.load(directory.file("throws.smf", bytes)).bind({
    living: NOTHING,
    statics: NOTHING,
    catches: I32,
    doubled: I32,
  });
  assertEquals([0, 1, 2, 3, 4].map((value) => symbols.catches(value)), [0, 17, -5, 103, 104]);
  assertEquals(symbols.living(), 0, "destructors have run");
  assertEquals([symbols.statics(), symbols.statics()], [10, 10]);
  assertEquals([symbols.doubled(4), symbols.doubled(4)], [9, 10]);
}

for (const compiler of ["clang", "zig"]) {
  const runs = IS_LINUX && IS_X86_64 && hasLibrary();
  Deno.test({
    name: `exceptions of ${compiler}'s C++ for macOS pass through a module for Linux${
      runs ? "" : ` (SKIPPED: needs ${LIBRARY} on Linux x86-64)`
    }`,
    ignore: !runs,
    fn: isolated(() => {
      const input = { name: "throws.o", bytes: read(`throws_${compiler}_x86_64.o`) };
      checkThrows(linkObjects([input], { platform: Platform.Linux, needed: [LIBRARY] }).bytes);
    }),
  });

  for (const processor of ["x86_64", "arm64"]) {
    Deno.test(`the functions of throws_${compiler}_${processor}.o are described for unwinders`, () => {
      const name = `throws_${compiler}_${processor}.o`;
      const { sections, file: { bytes } } = parseMachObject(name, read(name));
      const table = sections.find((section) => section.name === ".eh_frame")!;
      const records = new FrameRecords(
        bytes.subarray(table.offset, table.offset + table.size),
        (problem) => new LoadError("InvalidFormat", problem),
      );
      let functions = 0, withHandlers = 0;
      while (records.next()) {
        if (records.cie === -1) continue;
        functions++;
        // The length of the augmentation stands behind the function's place and its length.
        withHandlers += Number(bytes[table.offset + records.body + 8] === 4);
      }
      assert(functions >= 4 && withHandlers >= 3, `${functions} and ${withHandlers}`);
      const { map } = linkObjects([{ name, bytes: read(name) }]);
      assert(map.imports.some((each) => each.name === "__gxx_personality_v0"));
    });
  }
}

const RUNS_ARM = IS_LINUX && Deno.build.arch === "aarch64";
Deno.test({
  name: `exceptions pass by Apple's compact unwind information, which became call frame information${
    RUNS_ARM ? "" : " (SKIPPED: runs on Linux arm64)"
  }`,
  ignore: !RUNS_ARM,
  fn: isolated(() => checkThrows(read("throws_arm64.smf"))),
});
