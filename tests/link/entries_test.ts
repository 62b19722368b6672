// The functions of a hot module that have entries, and the calls that go through them, in real objects.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type LinkedModule, linkObjects } from "../../src/link/linker.ts";
import type { LinkOptions } from "../../src/link/options.ts";
import { Arch } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { testOutputOf } from "../support/compilers.ts";

/** One function of each kind, and one caller of each; the empty statements keep the compiler from looking inside. */
const SOURCE = `
  #define KEPT __attribute__((noinline))
  KEPT int external(int x) { __asm__ volatile(""); return x + 1; }
  KEPT __attribute__((visibility("hidden"))) int hidden(int x) { __asm__ volatile(""); return x + 2; }
  KEPT static int local(int x) { __asm__ volatile(""); return x * 3 + 1; }
  static int taken(int x) { return x + 4; }
  int (*pointer)(int) = taken;
  int (*const constant)(int) = taken;
  extern int other(int x);
  int call_external(int x) { return external(x) + x; }
  int call_hidden(int x) { return hidden(x) + x; }
  int call_local(int x) { return local(x) + local(x + 1) + x; }
  int call_other(int x) { return other(x) + x; }
  void *address(void) { return (void *)taken; }
  KEPT int self(int n) { __asm__ volatile(""); return n < 2 ? n : self(n - 1) + self(n - 2); }`;
const OTHER = "int other(int x) { return x; }";
const SECTIONS = "-ffunction-sections";

/** The callers of which a call goes through a stub, or through the slot of one. */
function switchedCallers({ bytes, map }: LinkedModule): string[] {
  const file = parseSmf(bytes);
  const range = (name: string): readonly [number, number] => {
    const found = map.sections.find((section) => section.name === name);
    return found === undefined ? [0, 0] : [found.address, found.address + found.size];
  };
  const code = file.sections[0];
  const view = new DataView(bytes.buffer, bytes.byteOffset + code.offset, code.size);
  const [stubs, slots] = [range(".plt"), range(".got")];
  const isIn = ([start, end]: readonly [number, number], at: number) => at >= start && at < end;
  const goes = (at: number): boolean => {
    if (file.header.arch === Arch.Aarch64) {
      const word = view.getUint32(at, true);
      return (word & 0x7c00_0000) === 0x1400_0000 && at % 4 === 0 && isIn(stubs, at + ((word << 6) >> 4));
    }
    const target = at + 5 + view.getInt32(at + 1, true);
    const opcode = view.getUint8(at);
    if (opcode === 0xe8 || opcode === 0xe9) return isIn(stubs, target);
    return opcode === 0xff && (view.getUint8(at + 1) & 0xcf) === 0x05 &&
      isIn(slots, at + 6 + view.getInt32(at + 2, true));
  };
  return map.exports.filter(({ name, address, size }) => {
    if (!/^(?:call_|self)/.test(name)) return false;
    for (let at = address; at + 6 <= address + size; at++) if (goes(at)) return true;
    return false;
  }).map(({ name }) => name.replace("call_", ""));
}

async function linkHot(
  folder: string,
  compileThere: (...args: string[]) => Promise<string>,
  flags: readonly string[],
  options: LinkOptions = {},
): Promise<LinkedModule> {
  Deno.writeTextFileSync(`${folder}/main.c`, SOURCE);
  Deno.writeTextFileSync(`${folder}/other.c`, OTHER);
  for (const name of ["main", "other"]) {
    await compileThere(...flags, SECTIONS, "-c", `${name}.c`, "-o", `${name}.o`);
  }
  const inputs = ["main.o", "other.o"].map((name) => ({
    name,
    bytes: Deno.readFileSync(`${folder}/${name}`),
  }));
  return linkObjects(inputs, { hot: true, ...options });
}

const PATCHING = "-flive-patching=inline-clone";
const GCC: readonly (readonly [flags: readonly string[], switched: readonly string[]])[] = [
  [["-fPIC", "-g"], ["external", "other"]],
  [["-fPIC"], ["other"]],
  [["-fPIC", "-frecord-gcc-switches"], ["external", "other"]],
  [["-fPIE", "-g"], ["other"]],
  [["-fPIC", "-g", "-fPIE"], ["other"]],
  [["-fPIC", "-g", "-fno-semantic-interposition"], ["other"]],
  [["-fPIC", "-g", "-Ofast"], ["other"]],
  [["-fPIC", "-g", PATCHING], ["external", "hidden", "local", "other"]],
  [["-fPIE", "-g", PATCHING], ["external", "hidden", "local", "other"]],
  [["-fPIC", "-frecord-gcc-switches", PATCHING], ["external", "hidden", "local", "other"]],
];
for (const compiler of ["gcc", "aarch64-linux-gnu-gcc"]) {
  for (const level of ["-O2", "-O3"]) {
    for (const [flags, expected] of GCC) {
      testOutputOf(
        compiler,
        `calls by ${compiler} ${level} ${flags.join(" ")}`,
        async (folder, compileThere) => {
          const linked = await linkHot(folder, compileThere, [level, ...flags]);
          assertEquals(switchedCallers(linked).sort(), [...expected].sort());
          const left = linked.map.unswitched.map(({ name }) => name);
          for (const name of ["external", "hidden", "local"]) {
            assertEquals(left.includes(name), !expected.includes(name), `${name} in ${left}`);
          }
          assertEquals(left.includes("self"), false, "a function that calls itself needs no flag");
          const module = parseSmf(linked.bytes);
          const entries = module.entries()!.functions.map(({ symbol, file }) =>
            [module.symbols.name(symbol), file] as const
          );
          const statics = expected.includes("local") ? [["local", "main.c"]] : [];
          assertEquals(
            entries.sort((a, b) => a[0] < b[0] ? -1 : 1),
            [["hidden", ""], ...statics, ["taken", "main.c"]] as never,
          );
        },
      );
    }
    // Hidden names cannot be exported, so only what is kept is in the module.
    const hidden = [level, "-fPIC", "-g", "-fvisibility=hidden"];
    testOutputOf(compiler, `calls by ${compiler} ${hidden.join(" ")}`, async (folder, compileThere) => {
      const options = { keep: ["call_*", "self"], exports: [] };
      const { map } = await linkHot(folder, compileThere, hidden, options);
      assertEquals(map.unswitched.map(({ name }) => name).sort(), ["external", "hidden", "local"]);
    });
  }
}

for (const level of ["-O2", "-O3"]) {
  const told = ["-fPIC", "-fsemantic-interposition"];
  const clang: readonly (readonly [flags: readonly string[], switched: readonly string[]])[] = [
    [["-fPIC", "-g"], ["other"]],
    [told, ["other"]],
    [[...told, "-g"], ["other"]],
    [[...told, "-frecord-command-line"], ["external", "other"]],
    [[...told, "-g", "-grecord-command-line"], ["external", "other"]],
    [["-fPIE", "-fsemantic-interposition", "-frecord-command-line"], ["other"]],
  ];
  for (const target of ["clang", "clang --target=aarch64-linux-gnu"]) {
    for (const [flags, expected] of clang) {
      testOutputOf(target, `calls by ${target} ${level} ${flags.join(" ")}`, async (folder, compileThere) => {
        const linked = await linkHot(folder, compileThere, [level, ...flags]);
        assertEquals(switchedCallers(linked).sort(), [...expected].sort());
      });
    }
  }
}

testOutputOf("gcc", "calls through the GOT take the slots of entries", async (folder, compileThere) => {
  const linked = await linkHot(folder, compileThere, ["-O2", "-fPIC", "-g", "-fno-plt"]);
  assertEquals(switchedCallers(linked).sort(), ["external", "other"]);
});

testOutputOf(
  "gcc",
  "an object made of several says nothing if one of them does not",
  async (folder, compileThere) => {
    await linkHot(folder, compileThere, ["-O2", "-fPIC", "-g"]);
    await compileThere("-O2", "-fPIC", "-c", "other.c", "-o", "other.o");
    await compileThere("-r", "-nostdlib", "main.o", "other.o", "-o", "both.o");
    const object = { name: "both.o", bytes: Deno.readFileSync(`${folder}/both.o`) };
    assertEquals(switchedCallers(linkObjects([object], { hot: true })), []);
  },
);

testOutputOf(
  "gcc",
  "functions that share a section are named, and how to split it",
  async (folder, compileThere) => {
    Deno.writeTextFileSync(`${folder}/main.c`, SOURCE);
    await compileThere("-O2", "-fPIC", "-g", PATCHING, "-c", "main.c", "-o", "main.o");
    const object = { name: "main.o", bytes: Deno.readFileSync(`${folder}/main.o`) };
    const { unswitched } = linkObjects([object], { hot: true }).map;
    const found = unswitched.filter(({ reason }) => reason === "section").map(({ name }) => name);
    assertEquals(found.sort(), ["local", "taken"]);
  },
);

testOutputOf(
  "gcc",
  "clones, repeated names and parts out of line have no entries",
  async (folder, compileThere) => {
    const text = (more: string) => `
    extern int sink(int);
    __attribute__((noinline)) static int helper(int x, int unused) { sink(x); return x + 1; }
    static int same(int x) { return x + 1; }
    int (*pointer${more})(int) = same;
    int use${more}(int x) { return helper(x, 5) + 1; }
    int cold${more}(int x) { if (__builtin_expect(x == 77, 0)) { sink(1); sink(2); __builtin_trap(); } return sink(x); }`;
    for (const name of ["a", "b"]) {
      Deno.writeTextFileSync(`${folder}/same.c`, text(name));
      await compileThere("-O2", "-fPIC", "-g", PATCHING, SECTIONS, "-c", "same.c", "-o", `${name}.o`);
    }
    const inputs = ["a.o", "b.o"].map((name) => ({ name, bytes: Deno.readFileSync(`${folder}/${name}`) }));
    const link = (count: number) => linkObjects(inputs.slice(0, count), { hot: true });
    const names = ({ bytes }: LinkedModule) => {
      const file = parseSmf(bytes);
      return file.entries()!.functions.map(({ symbol }) => file.symbols.name(symbol));
    };
    assertEquals(names(link(1)).includes("same"), true);
    const two = link(2);
    const reasons = (
      start: string,
    ) => [
      ...new Set(two.map.unswitched.filter(({ name }) => name.startsWith(start)).map(({ reason }) => reason)),
    ];
    assertEquals([reasons("helper"), reasons("same")], [["clone"], ["repeated"]]);
    assertEquals(names(two).includes("same"), false);
    for (const name of names(two)) assertEquals(/[.]/.test(name), false, name);
  },
);

testOutputOf("g++", "virtual tables of a hot module hold entries", async (folder, compileThere) => {
  Deno.writeTextFileSync(
    `${folder}/main.cpp`,
    `struct base { virtual int f(); virtual ~base(); int x = 1; };
     int base::f() { return x; } base::~base() {}
     extern "C" base *make() { return new base; }`,
  );
  await compileThere("-O2", "-fPIC", "-g", SECTIONS, "-c", "main.cpp", "-o", "main.o");
  const object = { name: "main.o", bytes: Deno.readFileSync(`${folder}/main.o`) };
  const targets = (options: LinkOptions) => {
    const file = parseSmf(linkObjects([object], { exports: ["make"], ...options }).bytes);
    return [...file.relocations].map(({ symbol }) => file.symbols.name(symbol)).join(" ");
  };
  assertStringIncludes(targets({ hot: true }), "_ZN4base1fEv");
  assertEquals(targets({ reloadable: true }).includes("_ZN4base1fEv"), false);
});

testOutputOf(
  "gcc",
  "a module that is not hot has no entries, and no other calls",
  async (folder, compileThere) => {
    const linked = await linkHot(folder, compileThere, ["-O2", "-fPIC", "-g"], {
      hot: false,
      reloadable: true,
    });
    assertEquals([parseSmf(linked.bytes).entries(), switchedCallers(linked), linked.map.unswitched], [
      undefined,
      [],
      [],
    ]);
  },
);

testOutputOf(
  "rustc",
  "functions that rustc may have merged have no entries",
  async (folder, compileThere) => {
    Deno.writeTextFileSync(
      `${folder}/main.rs`,
      `#![crate_type = "staticlib"]
     trait V { fn v(&self, x: i32) -> i32; }
     struct A; struct B;
     impl V for A { #[inline(never)] fn v(&self, x: i32) -> i32 { x * 7 + 3 } }
     impl V for B { #[inline(never)] fn v(&self, x: i32) -> i32 { x * 7 + 3 } }
     static OBJECTS: [&(dyn V + Sync); 2] = [&A, &B];
     #[no_mangle] pub extern "C" fn get(i: usize, x: i32) -> i32 { OBJECTS[i & 1].v(x) }`,
    );
    await compileThere("-C", "opt-level=3", "-C", "panic=abort", "--emit", "obj", "-o", "main.o", "main.rs");
    const object = { name: "main.o", bytes: Deno.readFileSync(`${folder}/main.o`) };
    const { bytes, map } = linkObjects([object], { hot: true, exports: ["get"] });
    assertEquals(parseSmf(bytes).entries()!.functions, []);
    assertEquals([...new Set(map.unswitched.map(({ reason }) => reason))], ["merged"]);
  },
);
