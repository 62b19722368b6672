/**
 * The debugger's answers to which type a name has.
 */
import { join } from "@std/path";
import { compile } from "../../support/compilers.ts";

/** Asks gdb for the types of names in a shared library. A name that it does not know is not in the answer. */
export async function whatis(
  library: string,
  names: readonly string[],
  folder: string,
  language: string,
): Promise<Map<string, string>> {
  const script = join(folder, "whatis.gdb");
  const questions = names.map((name) => `echo @@${name}\\n\nwhatis '${name}'\n`);
  Deno.writeTextFileSync(script, `set language ${language}\n${questions.join("")}`);
  const output = await compile("gdb", ["-batch", "-nx", "-x", script, library]);
  const answers = new Map<string, string>();
  for (const part of output.split("@@").slice(1)) {
    const [, name, type] = /^(.*)\n(?:type = )?([^]*)$/.exec(part)!;
    if (type !== "" && !type.includes("no debug info>")) answers.set(name, type.trim());
  }
  return answers;
}

/**
 * Brings spellings that mean one type to one: gcc's and gdb's names of integers, keywords that C++ may leave out. gdb
 * writes arguments of templates in a form of its own; they are left out.
 */
export function oneSpelling(type: string): string {
  return withoutArguments(type)
    .replace(/\b(struct|class|union|enum) (?=[\w(])/g, "")
    .replace(/\b(long|short) unsigned int\b/g, "unsigned $1")
    .replace(/\b(long|short)( long)? int\b/g, "$1$2")
    .replace(/\s+/g, " ").replaceAll("> >", ">>").replaceAll(" [", "[").trim();
}

function withoutArguments(type: string): string {
  let depth = 0;
  return Array.from(type, (character) => {
    if (character === "<") depth++;
    else if (character === ">") depth--;
    else if (depth === 0) return character;
    return "";
  }).join("");
}
