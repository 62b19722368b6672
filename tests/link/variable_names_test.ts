// The names of variables that are local to a file: equal names of two versions mean one variable.
import { assertEquals } from "@std/assert";
import { parseSmf } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { testOutputOf } from "../support/compilers.ts";

/** Compiles files and returns the names of all variables in homes, sorted. */
async function namesOf(
  folder: string,
  compileThere: (...args: string[]) => Promise<string>,
  sources: Readonly<Record<string, string>>,
  flags: readonly string[],
): Promise<string[]> {
  const objects = [];
  for (const [path, text] of Object.entries(sources)) {
    const directory = path.replace(/[^/]*$/, "");
    Deno.mkdirSync(`${folder}/${directory}`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/${path}`, text);
    await compileThere("-fPIC", ...flags, "-c", path, "-o", `${path}.o`);
    objects.push({ name: `${path}.o`, bytes: Deno.readFileSync(`${folder}/${path}.o`) });
  }
  const file = parseSmf(linkObjects(objects, { reloadable: true }).bytes);
  const homes = file.homes();
  const isHoused = (value: number) =>
    homes.some(({ offset, size }) => value >= offset && value < offset + size);
  return [...file.symbols].filter(({ value, size }) => size > 0 && isHoused(value))
    .map(({ name }) => name.replace(/:[0-9a-f]{16}$/, ":HASH")).sort();
}

const COUNTER = `
  static long n;
  long external = 1;
  static inline long *inner(int add) { static long n; n += add; return &n; }
  long step(int add) { n += add; return n + *inner(add); }`;
const OTHER = COUNTER.replace("external", "another").replace("step", "walk");

for (const compiler of ["gcc", "clang", "aarch64-linux-gnu-gcc", "clang --target=aarch64-linux-gnu"]) {
  for (const flags of [["-O0"], ["-O2"], ["-O2", "-fdata-sections"], ["-O2", "-gdwarf-4"]]) {
    testOutputOf(
      compiler,
      `${compiler} ${flags.join(" ")}: names say file and function, as debug information has them`,
      async (folder, compileThere) => {
        const sources = { "x/util.c": COUNTER, "y/util.c": OTHER };
        assertEquals(await namesOf(folder, compileThere, sources, ["-g", ...flags]), [
          ...["another", "external"],
          ...["inner.n@x/util.c", "inner.n@y/util.c", "n@x/util.c", "n@y/util.c"],
        ]);
        // A module of one file has no other one to be told apart from.
        const alone = await namesOf(folder, compileThere, { "x/util.c": COUNTER }, ["-g", ...flags]);
        assertEquals(alone, ["external", "inner.n", "n"]);
      },
    );
  }
}

testOutputOf(
  "gcc",
  "without debug information nobody knows the function, and the object is the file",
  async (folder, compileThere) => {
    const sources = { "x/util.c": COUNTER, "y/util.c": OTHER };
    const names = await namesOf(folder, compileThere, sources, ["-O2"]);
    assertEquals(names.map((name) => name.replace(/\.\d+@/, ".N@")), [
      ...["another", "external"],
      ...["n.N@x/util.c.o:HASH", "n.N@y/util.c.o:HASH", "n@x/util.c.o", "n@y/util.c.o"],
    ]);
  },
);

testOutputOf(
  "clang",
  "without debug information clang says the function, and a byte may be anything",
  async (folder, compileThere) => {
    const flag =
      "static int flag; static char byte; int f(int set) { if (set) flag = 700; byte += set; return flag + byte; }";
    const names = await namesOf(folder, compileThere, { "a.c": COUNTER, "b.c": flag }, ["-O2"]);
    assertEquals(names, ["byte@b.c.o:HASH", "external", "flag@b.c.o:HASH", "inner.n@a.c.o", "n@a.c.o"]);
    // Debug information tells the one from the other.
    const known = await namesOf(folder, compileThere, { "a.c": COUNTER, "b.c": flag }, ["-O2", "-g"]);
    assertEquals(known, ["byte@b.c", "external", "flag@b.c.o:HASH", "inner.n@a.c", "n@a.c"]);
  },
);

for (const compiler of ["gcc", "clang"]) {
  for (const debug of [[], ["-g"]]) {
    testOutputOf(
      compiler,
      `${compiler} ${debug.join("")}: variables of one name in blocks of one function have no identity`,
      async (folder, compileThere) => {
        const source = `long f(int which) {
          if (which) { static long n = 1; return ++n; } else { static long n = 2; return ++n; }
        }`;
        const names = await namesOf(folder, compileThere, { "a.c": source }, ["-O1", ...debug]);
        assertEquals(names.map((name) => /^(?:f\.)?n(?:\.\d+)?@:HASH$/.test(name)), [true, true]);
      },
    );
  }
}

for (const compiler of ["g++", "clang++"]) {
  testOutputOf(
    compiler,
    `${compiler}: C++ names keep their mangling, and guards follow their variables`,
    async (folder, compileThere) => {
      const source = (suffix: string) => `
        struct object { object(); long value; };
        namespace { long hidden = 3; }
        static long n = 1;
        static long *inner() { static object one; n++; return &one.value; }
        inline long *shared() { static object one; return &one.value; }
        long *step${suffix}() { hidden++; return *shared() > 3 ? inner() : &n; }
        long *more${suffix}() { return &hidden; }`;
      const sources = { "a.cpp": source("1"), "b.cpp": source("2") };
      assertEquals(await namesOf(folder, compileThere, sources, ["-O1", "-g"]), [
        ...["_ZGVZ6sharedvE3one", "_ZGVZL5innervE3one@a.cpp", "_ZGVZL5innervE3one@b.cpp"],
        ...["_ZL1n@a.cpp", "_ZL1n@b.cpp"],
        ...["_ZN12_GLOBAL__N_16hiddenE@a.cpp", "_ZN12_GLOBAL__N_16hiddenE@b.cpp"],
        ...["_ZZ6sharedvE3one", "_ZZL5innervE3one@a.cpp", "_ZZL5innervE3one@b.cpp"],
      ]);
    },
  );
}

const TAKEN_APART = `
  struct point { double x; int y; };
  static struct { long calls; struct point last; int kinds[3]; } tally;
  static struct point points[2];
  void note(int y) {
    static struct { int first; long again; } seen;
    if (!seen.first) seen.first = y; else seen.again++;
    tally.calls++; tally.last.y = y; tally.kinds[2] += y; points[1].x += y;
  }
  long told(void) { return tally.calls + tally.last.y + tally.kinds[2] + (long)points[1].x; }`;

for (const compiler of ["clang", "clang --target=aarch64-linux-gnu", "clang -x c++"]) {
  for (const flags of [["-O2"], ["-O2", "-gdwarf-4"]]) {
    testOutputOf(
      compiler,
      `${compiler} ${
        flags.join(" ")
      }: a variable of which LLVM stores the fields by themselves gives each its name`,
      async (folder, compileThere) => {
        const names = await namesOf(folder, compileThere, { "a.c": TAKEN_APART }, ["-g", ...flags]);
        const isMangled = compiler.endsWith("c++");
        const [tally, points, seen] = isMangled
          ? ["_ZL5tally", "_ZL6points", "_ZZ4noteiE4seen"]
          : ["tally", "points", "note.seen"];
        assertEquals(
          names,
          [
            ...[`${points}[1].x`, `${seen}.again`, `${seen}.first`],
            ...[`${tally}.calls`, `${tally}.kinds[2]`, `${tally}.last.y`],
          ].sort(),
        );
      },
    );
  }
}
