/**
 * `smf inspect --disasm`: finds the code, loads the disassembler, formats the instructions.
 */
import {
  canDisassemble,
  CAPSTONE,
  type Capstone,
  codeNames,
  disassemble,
  type Disassembly,
  findCode,
  loadCapstone,
} from "../analysis/disassemble.ts";
import { didYouMean, nearestSymbol } from "../../errors/names.ts";
import { archName } from "../../smf/enums.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import { UsageError } from "../terminal/command.ts";
import type { Writer } from "../terminal/style.ts";
import { printable, table } from "../terminal/table.ts";

/**
 * Disassembles a function or a Code section.
 *
 * @throws {UsageError} if the module lacks that code, or it cannot be disassembled.
 */
export async function disassembleNamed(module: ParsedSmf, name: string): Promise<Disassembly> {
  const { arch } = module.header;
  if (!canDisassemble(arch)) {
    throw new UsageError(`--disasm supports X86_64 and Aarch64; this module is for ${archName(arch)}`);
  }
  const code = findCode(module, name);
  if (code === undefined) {
    const names = codeNames(module);
    const near = nearestSymbol(name, names);
    const known = names.slice(0, 8).map(printable).join(", ");
    throw new UsageError(
      `there is no code called '${name}'${didYouMean(near && printable(near))}; there is ${
        known === "" ? "none with a name" : known
      }`,
    );
  }
  return disassemble(await requireCapstone(), module, name, code);
}

async function requireCapstone(): Promise<Capstone> {
  try {
    return await loadCapstone();
  } catch (error) {
    throw new UsageError(
      `--disasm needs the package ${CAPSTONE}, which cannot be loaded: ${(error as Error).message}; ` +
        `with a network, fetch it once: deno cache ${CAPSTONE}`,
    );
  }
}

/** Formats instructions: labels, bytes and text, and below an instruction its relocations. */
export function disassemblyLines({ instructions }: Disassembly, { style, named }: Writer): string[] {
  const rows = table(
    instructions.map(({ offset, bytes, text }) => [offset.toString(16), bytes.match(/../g)!.join(" "), text]),
    ["right"],
  );
  return instructions.flatMap(({ labels, relocations }, index) => [
    ...labels.map((label) => style.heading(`${named(label)}:`)),
    `  ${rows[index]}`,
    ...relocations.map((text) => style.faint(`      ${named(text)}`)),
  ]);
}
