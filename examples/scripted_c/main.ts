/**
 * Compiles C from a template, and a function in C++, Rust and Zig each where there is a compiler: calls them by the
 * types that the compilers tell, and changes C while its variable goes on.
 *
 *     deno run --allow-ffi --allow-read --allow-write --allow-run=cc,c++,rustc,zig examples/scripted_c/main.ts
 */

import { cc, CompileError, LoadError } from "@simple/loader/build";

const folder = Deno.makeTempDirSync({ prefix: "scripted_c_" });

/** The same function in four languages. */
const LANGUAGES = {
  c: "int times(int a, int b) { return a * b; }",
  cpp: `template <class T> static T times_of(T a, T b) { return a * b; }
        extern "C" int times(int a, int b) { return times_of(a, b); }`,
  rs: '#[no_mangle] pub extern "C" fn times(a: i32, b: i32) -> i32 { [a, b].iter().product() }',
  zig: "export fn times(a: i32, b: i32) i32 { return a * b; }",
} as const;

async function languages(): Promise<void> {
  for (const language of ["c", "cpp", "rs", "zig"] as const) {
    try {
      using library = await cc({ text: LANGUAGES[language], language }, { folder });
      const { command } = library.built.runs[0];
      console.log(`${language.padEnd(3)} 6 * 7 = ${library.symbols.times(6, 7)}, by ${command[0]}`);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      console.log(`${language.padEnd(3)} ${error.message}`);
    }
  }
}

/** A counter whose source changes twice, once to something that does not compile. */
async function changes(): Promise<void> {
  const write = (body: string): void =>
    Deno.writeTextFileSync(`${folder}/counter.c`, `static int total;\nint count(void) { ${body} }\n`);
  write("return total += 1;");
  using counter = await cc("counter.c", { folder });
  const { count } = counter.symbols;
  console.log(`counts ${count()} ${count()} ${count()}`);
  write("return total += 1");
  try {
    await counter.rebuild();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    console.log(error.output.split("\n").find((line) => line.includes("error")));
  }
  console.log(`counts on ${count()}`);
  write("return total += 10;");
  const report = await counter.rebuild();
  console.log(`kept ${report?.kept.join(", ")}, and counts ${count()} ${count()}`);
}

try {
  if (Deno.build.os !== "linux") console.log("Compilers of this system make no ELF objects: nothing to show");
  else {
    await languages();
    await changes();
  }
} catch (error) {
  if (!(error instanceof LoadError)) throw error;
  console.log(`${error.message}: ${error.hint}`);
} finally {
  Deno.removeSync(folder, { recursive: true });
}
