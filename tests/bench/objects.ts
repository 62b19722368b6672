/**
 * Builds a shared library and a module from the same object file.
 */
import { linkObjects } from "../../src/link/linker.ts";
import { assemble } from "./compiler.ts";

/** A shared library and a module made of the same object. */
export interface Forms extends Disposable {
  /** Path of the shared library. */
  readonly library: string;
  /** The module's bytes. */
  readonly module: Uint8Array;
}

/**
 * Assembly source of `count` exported functions that return at once, and of a
 * table of their addresses: as many relocations that refer to a symbol.
 */
function functionsSource(count: number): string {
  const lines = [".text"];
  for (let index = 0; index < count; index++) {
    const name = `function_${index}`;
    lines.push(`.globl ${name}`, `.type ${name} STT_FUNC`, ".balign 16", `${name}: ret`, `.size ${name}, 1`);
  }
  lines.push(".data", ".balign 8", ".globl table", ".type table STT_OBJECT", "table:");
  for (let index = 0; index < count; index++) lines.push(`.quad function_${index}`);
  lines.push(`.size table, ${8 * count}`, '.section .note.GNU-stack,"",@progbits', "");
  return lines.join("\n");
}

/** Builds `count` functions in both forms; undefined if there is no compiler. */
export async function functionForms(count: number): Promise<Forms | undefined> {
  const compiled = await assemble(functionsSource(count));
  if (compiled === undefined) return undefined;
  const { bytes } = linkObjects([{ name: "functions.o", bytes: compiled.object }]);
  return {
    library: compiled.library,
    module: bytes,
    [Symbol.dispose]: () => compiled[Symbol.dispose](),
  };
}

/** The reason in reports when there is no compiler. */
export const NO_COMPILER = "there is no C compiler (cc)";
