/** Prints which pages are writable and executable before and after binding. */
import { ModuleLoader } from "../../mod.ts";
import { ELF_MACHINE, writeElfStub } from "../../src/call/stub/elf_library.ts";
import { ANSWER, answering, maps } from "../support/modules.ts";

const executableWritable = () => maps().filter((line) => line.split(" ")[1].startsWith("rwx"));
const before = executableWritable();
using module = new ModuleLoader().loadBytes(answering(4));
const answer = module.getFunction("value", ANSWER, { callPath: "fast" })!();
if (Deno.args[0] === "spoilt") {
  const bytes = writeElfStub(ELF_MACHINE[Deno.build.arch], [module.codeMemory.address]);
  const PT_NULL = 0;
  new DataView(bytes.buffer).setUint32(64 + 2 * 56, PT_NULL, true);
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, bytes);
  try {
    Deno.dlopen(path, { f0: { parameters: [], result: "i32" } });
  } finally {
    Deno.removeSync(path);
  }
}
const stack = maps().find((line) => line.endsWith("[stack]"))?.split(" ")[1];
console.log(JSON.stringify({ before, after: executableWritable(), stack, answer }));
