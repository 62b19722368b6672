/** The cells of the table of sources and compilers: how each becomes a module, and what it answers. */
import { assertEquals } from "@std/assert";
import { basename, join } from "@std/path";
import { type LinkInput, linkObjects, ModuleRegistry } from "../../mod.ts";
import { compile } from "../support/compilers.ts";
import { inParallel } from "../support/in_parallel.ts";
import type { Toolchain } from "./compilers.ts";
import { type Language, type Source, sourcePath, SOURCES } from "./sources.ts";

/** The sources that a compiler compiles. */
export function sourcesOf({ languages, lacks }: Toolchain): Source[] {
  return SOURCES.filter(({ language }) => languages.includes(language) && lacks?.[language] === undefined);
}

/** The sources that a compiler would compile if it had what they need, and what that is. */
export function lackingOf({ lacks }: Toolchain): [source: Source, reason: string][] {
  return SOURCES.flatMap((source) => {
    const reason = lacks?.[source.language];
    return reason === undefined ? [] : [[source, reason]];
  });
}

/** Compiles a source and links a module of it, with files in an empty folder. */
export async function makeModule(
  toolchain: Toolchain,
  source: Source,
  folder: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { command: [command, ...options], flags, archiver: [archiver, ...archiverOptions] } = toolchain;
  const [main, ...rest] = source.files(toolchain.arch);
  const make = async (file: string): Promise<string> => {
    const object = join(folder, `${basename(file)}.o`);
    await compile(
      command,
      [...options, ...flags?.[source.language] ?? [], sourcePath(file), "-o", object],
      folder,
    );
    return object;
  };
  const inputs = [read(await make(main))];
  if (rest.length > 0) {
    const library = join(folder, "library.a");
    await compile(archiver, [...archiverOptions, "rcs", library, ...await inParallel(rest, make)], folder);
    inputs.push(read(library));
  }
  inputs.push(...await runtimeOf(toolchain, source.language));
  return linkObjects(inputs, toolchain.link).bytes as Uint8Array<ArrayBuffer>;
}

/** The static libraries that a compiler's language needs. */
export async function runtimeOf({ archives }: Toolchain, language: Language): Promise<LinkInput[]> {
  const inputs: LinkInput[] = [];
  for (const name of archives?.of[language] ?? []) {
    inputs.push(read((await compile(archives!.driver, [`-print-file-name=${name}`])).trim()));
  }
  return inputs;
}

function read(path: string): LinkInput {
  return { name: path, bytes: Deno.readFileSync(path) };
}

/** Asks a module all questions of its source. */
export function checkModule(source: Source, bytes: Uint8Array<ArrayBuffer>): void {
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("cell", bytes);
  const { symbols } = module.bind({
    questions: { parameters: [], result: "i32" },
    answer: { parameters: ["i32"], result: "i64" },
  });
  const answers = Array.from({ length: symbols.questions() }, (_, question) => symbols.answer(question));
  assertEquals(answers, source.answers);
  if (source.check !== undefined) source.check(module);
  else module.close();
}
