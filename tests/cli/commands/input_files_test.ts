// Large libraries are read in parts: which files are, and what becomes of one that changes meanwhile.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputFiles } from "../../../src/cli/commands/input_files.ts";
import { UsageError } from "../../../src/cli/terminal/command.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { smf } from "../../support/smf_command.ts";
import { archive, ElfWriter, functionObject } from "../../support/objects.ts";
import { SectionFlag } from "../../../src/os/elf.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

/** An object with a table of so many bytes. */
function table(name: string, size: number): Uint8Array {
  const writer = new ElfWriter();
  const section = writer.section({
    name: ".rodata",
    flags: SectionFlag.ALLOC,
    bytes: Uint8Array.from({ length: size }, (_, i) => i % 251),
  });
  writer.symbol({ name, section, size });
  return writer.build();
}

/** An archive of more than a megabyte. */
function largeArchive(): Uint8Array {
  return archive(["a", "b", "c"].map((name) => ({
    name: `${name}.o`,
    bytes: table(name, 500_000),
    symbols: [name],
  })));
}

Deno.test("large archives are read in parts, other files are not", () => {
  using folder = new TemporaryDirectory();
  using files = new InputFiles();
  assert(files.open(folder.file("large.a", largeArchive())) !== undefined);
  const small = archive([{ name: "f.o", bytes: functionObject("f", 0xc3), symbols: ["f"] }]);
  for (const path of [folder.file("small.a", small), folder.file("a.o", table("a", 500_000))]) {
    assertEquals(files.open(path), undefined);
  }
  for (const path of [folder.join("absent.a"), folder.path]) assertEquals(files.open(path), undefined);
});

Deno.test("a file that changes while it is linked is refused", () => {
  using folder = new TemporaryDirectory();
  using files = new InputFiles();
  const path = folder.file("large.a", largeArchive());
  const [first, second] = [path, folder.file("other.a", largeArchive())].map((path) => files.open(path)!);
  first.load(0, 100);
  second.load(0, 100);
  Deno.truncateSync(path, 1_000_000);
  const error = assertThrows(() => first.load(1_000_000, 1_001_000), UsageError);
  assertEquals(error.message, `${path}: Cannot read the file: it changed while it was linked`);
});

Deno.test("smf link makes the same module of a large library as a link in memory", async () => {
  using folder = new TemporaryDirectory();
  const main = functionObject("main", 0xc3, ["b"]), library = largeArchive();
  const path = folder.file("main.o", main), large = folder.file("large.a", library);
  for (const whole of [false, true]) {
    const target = folder.join(`${whole}.smf`);
    const link = ["link", path, ...(whole ? ["--whole-archive"] : []), large, "-o", target];
    assertEquals(await smf(...link), { code: 0, out: [], err: [] });
    const inputs = [{ name: path, bytes: main }, { name: large, bytes: library, whole }];
    assertEquals(Deno.readFileSync(target), linkObjects(inputs).bytes);
  }
});
