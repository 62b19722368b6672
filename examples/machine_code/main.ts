/**
 * A compiler's back end in forty lines: compiles an expression to x86-64 machine
 * code, builds a module from the code, loads it, and calls it.
 *
 *     deno run --allow-ffi examples/machine_code/main.ts
 */

import { ModuleLoader } from "@simple/loader";
import { Arch, Binding, SectionType, SmfBuilder, SymbolType } from "@simple/loader/format";

/** An expression: the parameter x, a number, a sum or a product. */
type Expression = "x" | number | readonly ["+" | "*", Expression, Expression];

/** Makes code that leaves the value of an expression in rax. The C calling convention passes x in rdi. */
function compile(expression: Expression): number[] {
  if (expression === "x") return [0x48, 0x89, 0xf8]; // mov rax, rdi
  if (typeof expression === "number") {
    const bytes = new Uint8Array(new Int32Array([expression]).buffer);
    return [0x48, 0xc7, 0xc0, ...bytes]; // mov rax, imm32
  }
  const [operator, left, right] = expression;
  return [
    ...compile(left),
    0x50, // push rax
    ...compile(right),
    0x59, // pop rcx
    ...(operator === "+" ? [0x48, 0x01, 0xc8] : [0x48, 0x0f, 0xaf, 0xc1]), // add rax, rcx; imul rax, rcx
  ];
}

/** Builds a module with one function of one parameter. */
function toModule(name: string, expression: Expression): Uint8Array {
  const code = new Uint8Array([...compile(expression), 0xc3]); // ret
  const builder = new SmfBuilder({ arch: Arch.X86_64, platform: 0 });
  builder.section({ name: "code", type: SectionType.Code, alignment: 16, bytes: code });
  builder.symbol({ name, type: SymbolType.Function, binding: Binding.Global, value: 0, size: code.length });
  return builder.build();
}

if (Deno.build.arch !== "x86_64" || Deno.build.os === "windows") {
  console.log(
    "This example makes x86-64 code for the System V calling convention; this machine uses another.",
  );
} else {
  using module = new ModuleLoader().loadBytes(toModule("polynomial", ["+", ["*", "x", "x"], ["*", 3, "x"]]));
  const polynomial = module.getFunction("polynomial", { parameters: ["i64"], result: "i64" });
  for (const x of [1n, 2n, 10n]) console.log(`x² + 3x at ${x} is ${polynomial?.(x)}`);
}
