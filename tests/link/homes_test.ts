// Reloadable modules work wherever their variables are: every reference into a home is left to the loader, whatever
// compiler and options made it.
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile, hasCommand } from "../support/compilers.ts";
import { isolated } from "../support/isolated.ts";
import { moveHomes, POISON } from "../support/moved_homes.ts";
import { randomFrom, stress } from "../support/testing.ts";
import { C_SOURCE, CPP_SOURCE } from "./homes_sources.ts";

const CHECK = { parameters: [], result: "i32" } as const;

/** Loads a module, and calls its `check` three times; no old place of a home may change meanwhile. */
function assertWorks(bytes: Uint8Array, what: string, oldSizes: readonly number[] = []): void {
  using registry = new ModuleRegistry();
  using module = registry.loadBytes("homes", bytes);
  const { symbols } = module.bind({ check: CHECK });
  assertEquals([symbols.check(), symbols.check(), symbols.check()], [42, 42, 42], what);
  oldSizes.forEach((size, index) => {
    using lease = module.addressOf(`old_${index}`)!;
    const pointer = Deno.UnsafePointer.create(lease.address)!;
    const old = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, size));
    assert(old.every((byte) => byte === POISON), `${what}: old_${index} was written to`);
  });
}

const VARIANTS: readonly string[] = [
  "-O0 -fPIC",
  "-O2 -fPIC",
  "-O2 -fPIC -fdata-sections -ffunction-sections",
  "-O2 -fPIC -fcommon -fno-plt",
  "-O3 -fPIE -fcommon",
  "-Os -fPIC -fvisibility=hidden",
];

interface Case {
  readonly compiler: string;
  readonly arch: string;
  readonly language: "c" | "cpp";
  readonly variants: readonly string[];
}

const CASES: readonly Case[] = [
  {
    compiler: "gcc",
    arch: "x86_64",
    language: "c",
    variants: [...VARIANTS, "-O2 -fPIC -mcmodel=medium", "-O0 -fPIC -mcmodel=large"],
  },
  {
    compiler: "clang-14",
    arch: "x86_64",
    language: "c",
    variants: [...VARIANTS, "-O0 -fPIC -mcmodel=large"],
  },
  { compiler: "g++", arch: "x86_64", language: "cpp", variants: VARIANTS },
  {
    compiler: "aarch64-linux-gnu-gcc",
    arch: "aarch64",
    language: "c",
    variants: [...VARIANTS, "-O2 -fpic", "-O2 -fPIC -fno-section-anchors"],
  },
  {
    compiler: "clang-14 --target=aarch64-linux-gnu",
    arch: "aarch64",
    language: "c",
    variants: [...VARIANTS, "-O3 -fPIC -mno-global-merge -fdata-sections", "-O2 -fpic"],
  },
  { compiler: "aarch64-linux-gnu-g++", arch: "aarch64", language: "cpp", variants: VARIANTS },
];

/** The flags with which C++ does without the runtime library, which other tests load. */
const ALONE: Readonly<Record<Case["language"], readonly string[]>> = {
  c: [],
  cpp: ["-std=c++17", "-fno-threadsafe-statics", "-fno-exceptions", "-fno-rtti"],
};

for (const { compiler, arch, language, variants } of CASES) {
  const [command, ...target] = compiler.split(" ");
  const runsHere = Deno.build.arch === arch && Deno.build.os === "linux";
  const runs = runsHere && hasCommand(command);
  const name = `homes: ${language} by ${compiler} works wherever its variables are`;
  Deno.test({
    name: runs ? name : `${name} (SKIPPED: needs ${command} on Linux ${arch})`,
    ignore: !runs,
    fn: isolated(async () => {
      const folder = Deno.makeTempDirSync();
      try {
        Deno.writeTextFileSync(`${folder}/check.${language}`, language === "c" ? C_SOURCE : CPP_SOURCE);
        for (const flags of variants) {
          const output = `check${variants.indexOf(flags)}.o`;
          await compile(
            command,
            [...target, ...ALONE[language], ...flags.split(" "), "-c", `check.${language}`, "-o", output],
            folder,
          );
          const object = { name: output, bytes: Deno.readFileSync(`${folder}/${output}`) };
          // In hot modules tables of C++ classes have homes, too.
          for (
            const [exports, hot] of [[["check"], false], [["*"], false], [["*"], language === "cpp"]] as const
          ) {
            const what = `${flags}, exporting ${exports}${hot ? ", hot" : ""}`;
            const { bytes } = linkObjects([object], { exports, reloadable: true, hot });
            assertWorks(bytes, what);
            for (let seed = 1; seed <= stress(20); seed++) {
              const moved = moveHomes(bytes, randomFrom(seed));
              assertWorks(moved.bytes, `${what}, homes moved by seed ${seed}`, moved.sizes);
            }
          }
        }
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }),
  });
}
