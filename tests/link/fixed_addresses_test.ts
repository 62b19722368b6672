// Code that is compiled for fixed addresses: linked, loaded into low memory, and run.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type LoadedModule, LoadError, ModuleRegistry } from "../../mod.ts";
import { linkObjects, type LinkOptions } from "../../src/link/mod.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";

const SOURCE = new URL("../support/fixed_addresses.c", import.meta.url).pathname;
const FIXED = ["-fno-pic", "-fno-pie"];
const LOW_END = 2n ** 31n;
const CPP = { libraries: ["libstdc++.so.6", "libgcc_s.so.1", "libc.so.6"] };

/** Compiles sources to objects and links them. */
async function linked(
  folder: string,
  text: string,
  { command = "gcc", name = "a.c", flags = ["-O2"], options = {}, archives = [] }: {
    command?: string;
    name?: string;
    flags?: readonly string[];
    options?: LinkOptions;
    archives?: readonly string[];
  } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  Deno.writeTextFileSync(`${folder}/${name}`, text);
  await compile(command, [...FIXED, ...flags, "-c", name, "-o", "a.o"], folder);
  const inputs = [`${folder}/a.o`, ...archives].map((path) => ({
    name: path,
    bytes: Deno.readFileSync(path),
  }));
  return linkObjects(inputs, options).bytes as Uint8Array<ArrayBuffer>;
}

/** Calls a function of numbers. */
function call(module: LoadedModule, name: string, ...args: number[]): number {
  const parameters = args.map(() => "i32" as const);
  const { symbols } = module.bind({ [name]: { parameters, result: "i32" } });
  return (symbols[name] as (...args: number[]) => number)(...args);
}

function addressFrom(module: LoadedModule, name: string): bigint {
  return module.getFunction(name, { parameters: [], result: "u64" } as const)!() as bigint;
}

/** The bytes of address space that this process uses. */
function addressSpace(): number {
  return 1024 * Number(/^VmSize:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
}

/** The address of a name of the C library. */
function hostAddress(name: string): bigint {
  const library = Deno.dlopen("libc.so.6", { dlsym: { parameters: ["usize", "buffer"], result: "u64" } });
  try {
    return library.symbols.dlsym(0n, new TextEncoder().encode(`${name}\0`)) as bigint;
  } finally {
    library.close();
  }
}

for (const command of ["gcc", "clang"]) {
  for (const level of ["-O0", "-O1", "-O2", "-Os"]) {
    testWithCompilers([command], `C for fixed addresses runs: ${command} ${level}`, async (folder) => {
      const bytes = await linked(folder, Deno.readTextFileSync(SOURCE), { command, flags: [level] });
      using registry = new ModuleRegistry();
      using module = registry.loadBytes("fixed", bytes);
      const range = (count: number) => [...Array(count).keys()];
      assertEquals(range(8).map((at) => call(module, "ascending", at)), [1, 1, 2, 3, 4, 5, 6, 9]);
      assertEquals(range(8).map((at) => call(module, "descending", at)), [9, 6, 5, 4, 3, 2, 1, 1]);
      assertEquals(range(4).map((at) => call(module, "indexed", at)), [17, 24, 37, 45]);
      assertEquals(range(8).map((at) => call(module, "chosen", at)), [3, 17, 0, 40, 99, 3, -4, -1]);
      assertEquals(call(module, "stored"), 255);
      assertEquals(call(module, "has_missing"), 0);

      // The addresses are everybody's.
      assertEquals(addressFrom(module, "address_of_compare"), registry.resolveSymbol("compare"));
      assertEquals(addressFrom(module, "address_of_free"), hostAddress("free"));
      assertEquals(addressFrom(module, "address_of_environ"), hostAddress("environ"));
      const isFree = module.getFunction("is_free", { parameters: ["u64"], result: "i32" } as const)!;
      assertEquals([isFree(hostAddress("free")), isFree(hostAddress("malloc"))], [1, 0]);

      // Variables of the C library, which lies far away.
      assert(hostAddress("environ") > LOW_END);
      assertEquals(call(module, "standard_error"), 2);
      assertEquals(call(module, "has_environment"), 1);
      assertEquals(call(module, "replaced"), 1);
      using variable = module.addressOf("table")!;
      assert(variable.address < LOW_END, `${variable.address}`);
    });
  }
}

/** The forms of instructions that thunks stand for; flags and all registers but the result's stay. */
const FORMS = `
  .text
  .macro function name
  .globl \\name
  .type \\name, @function
  \\name:
  .endm
  function own
    mov $7, %eax
    ret
  # Returns the number of the first form that goes wrong; 0 if all are right.
  function check
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    sub $136, %rsp
    mov free@GOTPCREL(%rip), %r15
    mov own@GOTPCREL(%rip), %r14
    mov environ@GOTPCREL(%rip), %r13
    movq $0x1234, -8(%rsp)
    movq $0x5678, -128(%rsp)
    stc

    mov $1, %ebp
    mov $free, %eax
    jnc wrong
    cmp %rax, %r15
    jne wrong
    mov $2, %ebp
    mov $own, %r12d
    cmp %r12, %r14
    jne wrong
    mov $3, %ebp
    mov $free, %r11
    cmp %r11, %r15
    jne wrong
    mov $4, %ebp
    movabs $own, %rbx
    cmp %rbx, %r14
    jne wrong
    mov $5, %ebp
    push $free
    pop %rcx
    cmp %rcx, %r15
    jne wrong
    movq $0x1234, -8(%rsp)
    mov $6, %ebp
    mov %r15, %rax
    cmp $free, %rax
    jne wrong
    mov $7, %ebp
    mov %r14, %r9
    cmp $own, %r9
    jne wrong
    mov $8, %ebp
    xor %eax, %eax
    add $free, %rax
    sub %r15, %rax
    jne wrong
    mov $9, %ebp
    mov %r15, %r8
    sub $free, %r8
    jne wrong

    mov $10, %ebp
    movq $free, (%rsp)
    cmp (%rsp), %r15
    jne wrong
    mov $11, %ebp
    movq $own, 8(%rsp)
    cmpq $own, 8(%rsp)
    jne wrong
    mov $12, %ebp
    lea 8(%rsp), %rsi
    movq $free, 8(%rsi)
    cmpq $free, 16(%rsp)
    jne wrong
    mov $13, %ebp
    lea (%rsp), %r12
    mov $2, %edi
    movq $own, 8(%r12,%rdi,8)
    cmp 24(%rsp), %r14
    jne wrong
    mov $14, %ebp
    movq $free, place(%rip)
    cmp place(%rip), %r15
    jne wrong
    mov $15, %ebp
    movq $own, place
    cmp place, %r14
    jne wrong
    mov $16, %ebp
    mov $1, %esi
    movq $free, place(,%rsi,8)
    cmpq $free, place+8
    jne wrong
    mov $17, %ebp
    movq $own, place+8(%rsi)
    cmpq $own, place+9
    jne wrong
    mov $18, %ebp
    movq $own, 0x100000-0x100000+place+16(%rip)
    cmp place+16(%rip), %r14
    jne wrong

    mov $19, %ebp
    mov environ(%rip), %rdi
    cmp (%r13), %rdi
    jne wrong
    mov $20, %ebp
    mov environ, %r10
    cmp environ, %r10
    jne wrong
    mov $21, %ebp
    cmp %r10, environ(%rip)
    jne wrong
    mov $22, %ebp
    mov environ(%rip), %esi
    cmp %r10d, %esi
    jne wrong
    mov $23, %ebp
    mov $0, %ecx
    mov environ(,%rcx,8), %rdx
    cmp %r10, %rdx
    jne wrong
    mov $24, %ebp
    movzbl environ+1(%rcx), %edx
    cmp %dl, 1(%r13)
    jne wrong
    mov $25, %ebp
    xor %r9d, %r9d
    movzbl environ+2(%r9), %edx
    cmp %dl, 2(%r13)
    jne wrong
    mov $26, %ebp
    movq environ(%rip), %xmm1
    movq %xmm1, %rdx
    cmp %r10, %rdx
    jne wrong
    mov $27, %ebp
    cmpq $0, environ(%rip)
    je wrong
    mov $28, %ebp
    mov environ, %r12
    cmp %r10, %r12
    jne wrong
    mov $29, %ebp
    lea environ(,%rcx,8), %rdx
    cmp %rdx, %r13
    jne wrong
    mov $30, %ebp
    mov %r10, environ(%rip)
    mov %r10, environ
    cmp (%r13), %r10
    jne wrong

    # The red zone is as it was, and so are the registers that no form names.
    mov $31, %ebp
    cmpq $0x1234, -8(%rsp)
    jne wrong
    mov $32, %ebp
    cmpq $0x5678, -128(%rsp)
    jne wrong
    mov $33, %ebp
    cmp own@GOTPCREL(%rip), %r14
    jne wrong
    xor %ebp, %ebp
  wrong:
    mov %ebp, %eax
    add $136, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
  .size check, . - check
  .bss
  .balign 8
  .globl place
  place: .zero 32
  .section .note.GNU-stack, "", @progbits
`;

testWithCompilers(["gcc"], "every form of a thunk does the work of its instruction", async (folder) => {
  const bytes = await linked(folder, FORMS, { name: "forms.s", flags: [] });
  using registry = new ModuleRegistry();
  using module = registry.loadBytes("forms", bytes);
  assertEquals(call(module, "check"), 0);
});

const CPP_SOURCE = `
  struct Shape { virtual ~Shape() {} virtual int area() const = 0; };
  struct Square : Shape {
    int side;
    explicit Square(int side) : side(side) {}
    int area() const override { return side * side; }
  };
  struct Box : Shape {
    int a, b;
    Box(int a, int b) : a(a), b(b) {}
    int area() const override { return a * b; }
  };
  struct Failure { int code; };
  static int destroyed;
  struct Guard { ~Guard() { destroyed++; } };
  __attribute__((noinline)) static int raise(int code) {
    Guard guard;
    if (code > 0) throw Failure{code};
    if (code < -5) throw code;
    return 5;
  }
  struct Static { int value; Static() : value(77) {} ~Static() { destroyed = 0; } };
  static Static object;
  extern "C" {
    int areas() {
      Shape *shapes[2] = {new Square(3), new Box(4, 5)};
      int sum = 0;
      for (auto *shape : shapes) { sum += shape->area(); delete shape; }
      return sum;
    }
    int caught(int code) {
      try { return raise(code); } catch (const Failure &failure) { return failure.code * 2 + destroyed * 100; }
    }
    int anything(int code) { try { return caught(code); } catch (...) { return -7; } }
    int is_square(int which) {
      Square square(2);
      Box box(1, 2);
      return dynamic_cast<Square *>(which ? (Shape *)&square : (Shape *)&box) != nullptr;
    }
    int constructed() { return object.value; }
  }
`;

for (const command of ["g++", "clang++"]) {
  for (const level of ["-O0", "-O2"]) {
    testWithCompilers(
      [command],
      `C++ for fixed addresses runs, with exceptions: ${command} ${level}`,
      async (folder) => {
        const bytes = await linked(folder, CPP_SOURCE, { command, name: "a.cpp", flags: [level] });
        using registry = new ModuleRegistry(CPP);
        using module = registry.loadBytes("fixed", bytes);
        assertEquals(call(module, "areas"), 29);
        assertEquals(call(module, "caught", -1), 5);
        assertEquals(call(module, "caught", 4), 208);
        assertEquals(call(module, "anything", 3), 306);
        assertEquals(call(module, "anything", -9), -7);
        assertEquals([call(module, "is_square", 0), call(module, "is_square", 1)], [0, 1]);
        assertEquals(call(module, "constructed"), 77);
      },
    );
  }
}

for (const command of ["g++", "clang++"]) {
  testWithCompilers(
    [command],
    `handlers take types of libstdc++, of the module, and all: ${command}`,
    async (folder) => {
      const text = `
        #include <stdexcept>
        namespace { struct Local { int code; }; }
        struct Own : std::runtime_error { using runtime_error::runtime_error; };
        static void raise(int kind) {
          if (kind == 0) throw std::runtime_error("standard");
          if (kind == 1) throw 7;
          if (kind == 2) throw Local{30};
          if (kind == 3) throw Own("own");
          if (kind == 4) throw "text";
        }
        extern "C" int taken(int kind) {
          try { raise(kind); } catch (const Own &error) {
            return error.what()[0];
          } catch (const Local &local) {
            return local.code;
          } catch (const std::exception &error) {
            return error.what()[0];
          } catch (int number) {
            return number;
          } catch (...) { return -1; }
          return 0;
        }
        extern "C" int own(int kind) {
          try { raise(kind); } catch (const Local &local) { return local.code; }
          return 0;
        }`;
      const options = { exports: ["taken", "own"] };
      const build = (archives: string[] = []) =>
        linked(folder, text, { command, name: "a.cpp", options, archives });
      // Alone the types are imports; with the archive they are in the module.
      const archive = (await compile("g++", ["-print-file-name=libstdc++.a"])).trim();
      using registry = new ModuleRegistry(CPP);
      for (const bytes of [await build(), await build([archive])]) {
        using module = registry.loadBytes("handlers", bytes);
        const letters = ["s", "o"].map((letter) => letter.charCodeAt(0));
        const results = [0, 1, 2, 3, 4, 5].map((kind) => call(module, "taken", kind));
        assertEquals(results, [letters[0], 7, 30, letters[1], -1, 0]);
        assertEquals([call(module, "own", 2), call(module, "own", 5)], [30, 0]);
      }
    },
  );
}

testWithCompilers(
  ["gcc"],
  "a variable that code reaches in a way without a thunk is named, with the next step",
  async (folder) => {
    const text =
      `.globl f\n.type f, @function\nf: call *hook(%rip)\nmov $.Lown, %eax\n.Lown: ret\n.size f, . - f\n`;
    const bytes = await linked(folder, text, { name: "a.s", flags: [] });
    using registry = new ModuleRegistry({ resolver: () => 0x7000_0000_0000n });
    const error = assertThrows(() => registry.loadBytes("m", bytes), LoadError);
    assertEquals([error.kind, error.data.symbol], ["RelocationFailed", "hook"]);
    assertStringIncludes(error.hint, "compile with -fPIC");
  },
);

testWithCompilers(
  ["gcc"],
  "several modules for fixed addresses use each other's functions and variables",
  async (folder) => {
    using registry = new ModuleRegistry();
    using stack = new DisposableStack();
    const first =
      `int values[4] = {1, 2, 3, 4}; int *const last = &values[3]; int add(int a) { return values[a]++; }`;
    stack.use(registry.loadBytes("m0", await linked(folder, first)));
    const modules = [1, 2, 3, 4, 5].map((number) => ({
      number,
      text: `
      extern int values[4];
      extern int add(int);
      static int (*const table[])(int) = {add};
      int value_${number}(int at) { return values[at] * 100 + table[0](at) + (table[0] == add) * 1000; }`,
    }));
    for (const { number, text } of modules) {
      const module = stack.use(registry.loadBytes(`m${number}`, await linked(folder, text)));
      assertEquals(call(module, `value_${number}`, 1), 1000 + (number + 1) * 101);
    }
  },
);

testWithCompilers(
  ["gcc"],
  "without room in low memory the error says so, nothing is leaked, and later loads work",
  async (folder) => {
    const bytes = await linked(
      folder,
      `int x = 5; int *where(void) { return &x; } int get(void) { return x; }`,
    );
    const MIB = 1n << 20n;
    const libc = Deno.dlopen("libc.so.6", {
      mmap: { parameters: ["u64", "u64", "i32", "i32", "i32", "i64"], result: "u64" },
      munmap: { parameters: ["u64", "u64"], result: "i32" },
    });
    const { mmap, munmap } = libc.symbols;
    const taken: bigint[] = [];
    try {
      using registry = new ModuleRegistry();
      // Loads once, so that what loading leaves behind for ever is there already.
      registry.loadBytes("warm", bytes).close();
      // MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE
      const flags = 0x02 | 0x20 | 0x4000 | 0x100000;
      for (let address = MIB; address < LOW_END; address += MIB) {
        const base = mmap(address, MIB, 0, flags, -1, 0n);
        if (base === address) taken.push(address);
        else if (base < 2n ** 63n) munmap(base, MIB);
      }
      assert(taken.length > 1000);
      const sizes: number[] = [];
      for (let round = 0; round < 12; round++) {
        const error = assertThrows(() => registry.loadBytes("full", bytes), LoadError);
        assertEquals(error.kind, "OutOfMemory");
        assertStringIncludes(error.message, "below address 0x80000000");
        assertStringIncludes(error.hint, "-fPIC");
        sizes.push(addressSpace());
      }
      // Every round tries two thousand places; the engine's own memory varies a little.
      assert(sizes.at(-1)! - sizes[1] < 16 * 2 ** 20, `${sizes}`);
      munmap(taken[taken.length >> 1], MIB);
      using module = registry.loadBytes("full", bytes);
      assertEquals(call(module, "get"), 5);
      using variable = module.addressOf("x")!;
      assert(variable.address > taken[taken.length >> 1] && variable.address < LOW_END);
    } finally {
      for (const address of taken) munmap(address, MIB);
      libc.close();
    }
  },
);
