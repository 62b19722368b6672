/**
 * Parts of the functions that stand in for Microsoft's runtime, and the way to add such a function.
 */
import { addFunctionEntry } from "./crt_function_tables.ts";
import { type Code, type CrtWriter, joinCode } from "./crt_writer.ts";
import { TLS_BASE } from "./section_names.ts";

/** R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_TLSLD, R_X86_64_DTPOFF32. */
export const CodeRelocation = { ADDRESS: 1, DISTANCE: 2, BRANCH: 4, TLS_MODULE: 20, TLS_OFFSET: 21 } as const;

/** Keeps %rbx, and makes room for the arguments of callees. */
const ENTER: Code = {
  // deno-fmt-ignore
  bytes: [
    0x53, // push %rbx
    0x48, 0x83, 0xec, 0x20, // sub $32, %rsp
  ],
  references: [],
};
/** Version 1, a prologue of 5 bytes, two codes: at 5, UWOP_ALLOC_SMALL of 32 bytes; at 1, UWOP_PUSH_NONVOL of rbx. */
const UNWIND = [0x01, 0x05, 0x02, 0x00, 0x05, 0x32, 0x01, 0x30];

/** Takes the frame of {@linkcode addFunction} away. */
export const LEAVE: Code = {
  // deno-fmt-ignore
  bytes: [
    0x48, 0x83, 0xc4, 0x20, // add $32, %rsp
    0x5b, // pop %rbx
  ],
  references: [],
};

/** Puts the address of the thread's variables into %rdx, and changes %ecx. */
export const THREAD_VARIABLES: Code = {
  // deno-fmt-ignore
  bytes: [
    0x8b, 0x0d, 0, 0, 0, 0, // mov _tls_index(%rip), %ecx
    0x65, 0x48, 0x8b, 0x14, 0x25, 0x58, 0, 0, 0, // mov %gs:0x58, %rdx: the thread's TLS blocks
    0x48, 0x8b, 0x14, 0xca, // mov (%rdx,%rcx,8), %rdx
  ],
  references: [[2, TLS_BASE, CodeRelocation.TLS_MODULE, -4]],
};

/**
 * Adds a function that may change %rbx, and call others; unwinders know its frame.
 *
 * @param body Its code behind the prologue, with {@linkcode LEAVE} at the end.
 * @returns its section.
 */
export function addFunction(
  writer: CrtWriter,
  name: string,
  body: readonly Code[],
  binding?: number,
): number {
  const code = joinCode(ENTER, ...body);
  const section = writer.code(name, code, binding);
  addFunctionEntry(writer, name, section, code.bytes.length, UNWIND);
  return section;
}
