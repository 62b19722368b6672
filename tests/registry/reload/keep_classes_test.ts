// Virtual tables and type information of hot modules stay where they are: objects of all versions share them, and
// `dynamic_cast`, `typeid` and exceptions work over versions.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CarryReport, KeptTable, LinkOptions } from "../../../mod.ts";
import { compiledVersion } from "../../support/compiled_versions.ts";
import { testWithCompilers } from "../../support/compilers.ts";
import { KeptModule, rejection } from "../../support/kept_module.ts";

const FLAGS = ["-O2", "-g", "-fdata-sections", "-ffunction-sections"];

/** A module of C++ that is linked with `--hot`. */
function hotModule(
  folder: string,
  compiler: "g++" | "clang++",
  flags: readonly string[] = FLAGS,
  link: LinkOptions = {},
): KeptModule {
  return new KeptModule(folder, { compiler, flags, link: { hot: true, ...link } });
}

/** Registers a test with each compiler; the ones that are missing say so. */
function testClasses(
  name: string,
  work: (folder: string, compiler: "g++" | "clang++") => Promise<void>,
): void {
  for (const compiler of ["g++", "clang++"] as const) {
    // The names of C++ libraries are those of gcc on a machine that has it.
    testWithCompilers(
      compiler === "g++" ? ["g++"] : ["g++", "clang++"],
      `${name} (${compiler})`,
      (folder) => work(folder, compiler),
    );
  }
}

function tableOf({ tables }: CarryReport, name: string): Omit<KeptTable, "name"> {
  const found = tables.find((table) => table.name === name);
  assert(found !== undefined, `no table ${name}: ${tables.map(({ name }) => name)}`);
  const { fate, appended, spare, reason } = found;
  return { fate, appended, spare, ...(reason === undefined ? {} : { reason }) };
}

/** Objects of two classes in one container, one class in an anonymous namespace. */
const OBJECTS = (version: number) => `
  #include <typeinfo>
  struct thing { int made = ${version}; virtual int version() const { return ${version}; } virtual ~thing() {} };
  struct other : thing { int version() const override { return ${version} * 10; } };
  struct shape : thing {
    int size = 1;
    int version() const override { return ${version} * 100; }
    virtual int area() const { return size * ${version}; }
    ${version >= 4 ? `virtual int rim() const { return size * 4 + ${version}; }` : ""}
    ${version >= 9 ? `virtual int corners() const { return made * 1000 + ${version}; }` : ""}
  };
  namespace {
    struct secret : thing { int version() const override { return ${version} * 7; } };
    struct problem { virtual int code() const { return ${version}; } virtual ~problem() {} int made = ${version}; };
  }
  static thing *things[400];
  static int count;
  static void (*throwers[64])(int);
  static int (*catchers[64])(void (*)(int), int);
  static int throwerCount;
  static shape first;
  extern "C" int make(void) {
    things[count++] = new shape; things[count++] = new other; things[count++] = new secret;
    return count;
  }
  static void raise(int kind) { if (kind == 0) throw problem(); if (kind == 1) throw shape(); throw ${version}; }
  static int handle(void (*raiser)(int), int kind) {
    try { raiser(kind); }
    catch (problem &caught) { return caught.made; }
    catch (shape &caught) { return caught.version() + caught.made; }
    catch (int caught) { return -caught; }
    return 0;
  }
  extern "C" int enter(void) { throwers[throwerCount] = raise; catchers[throwerCount] = handle; return throwerCount++; }
  extern "C" int caught(int thrower, int catcher, int kind) { return catchers[catcher](throwers[thrower], kind); }
  /* 0 if all objects are what they are to this version, or the number of the first check that fails. */
  extern "C" int check(void) {
    for (int at = 0; at < count; at++) {
      thing *each = things[at];
      shape *asShape = dynamic_cast<shape *>(each);
      other *asOther = dynamic_cast<other *>(each);
      secret *asSecret = dynamic_cast<secret *>(each);
      int kind = at % 3;
      if ((asShape != nullptr) != (kind == 0)) return 1000 + at;
      if ((asOther != nullptr) != (kind == 1)) return 2000 + at;
      if ((asSecret != nullptr) != (kind == 2)) return 3000 + at;
      const std::type_info &type = kind == 0 ? typeid(shape) : kind == 1 ? typeid(other) : typeid(secret);
      if (typeid(*each) != type || &typeid(*each) != &type) return 4000 + at;
      if (each->version() != (kind == 0 ? 100 : kind == 1 ? 10 : 7) * ${version}) return 5000 + at;
      if (asShape == nullptr) continue;
      if (asShape->area() != asShape->size * ${version}) return 6000 + at;
      ${version >= 4 ? `if (asShape->rim() != asShape->size * 4 + ${version}) return 7000 + at;` : ""}
      ${version >= 9 ? `if (asShape->corners() != asShape->made * 1000 + ${version}) return 8000 + at;` : ""}
    }
    thing *whole = &first;
    asm volatile("" : "+r"(whole));
    return whole->version() == ${version} * 100 ? 0 : 9000;
  }`;

testClasses(
  "objects of all versions share their tables over 20 reloads and two rollbacks",
  async (folder, compiler) => {
    await using kept = hotModule(folder, compiler);
    await kept.load(OBJECTS(1));
    const versions: number[] = [];
    const step = (version: number): void => {
      assertEquals(kept.call("check"), 0, `before ${version} makes objects`);
      kept.call("make");
      assertEquals(kept.call("check"), 0, `after ${version} made objects`);
      assertEquals(kept.call("enter"), versions.push(version) - 1);
    };
    step(1);
    for (let version = 2; version <= 21; version++) {
      const report = await kept.reload(OBJECTS(version));
      const grows = version === 4 || version === 9;
      assertEquals(tableOf(report, "_ZTV5shape"), {
        fate: grows ? "appended" : "kept",
        appended: grows ? 1 : 0,
        spare: version < 4 ? 16 : version < 9 ? 15 : 14,
      });
      assertEquals(report.tables.filter(({ fate }) => fate === "fresh"), []);
      assertEquals(report.fresh, []);
      step(version);
      if (version === 9 || version === 15) {
        kept.rollback();
        step(version - 1);
      }
    }
    // Old code catches what new code throws, and the other way round.
    const last = versions.length - 1;
    for (const [thrower, catcher] of [[0, last], [last, 0], [last, last], [3, 7], [7, 3]]) {
      const made = versions[thrower];
      assertEquals(kept.call("caught", thrower, catcher, 0), made, `${thrower} to ${catcher}`);
      // A virtual function is that of the version that serves.
      assertEquals(kept.call("caught", thrower, catcher, 1), 21 * 100 + made);
      assertEquals(kept.call("caught", thrower, catcher, 2), -made);
    }
  },
);

/** A class, one that derives from it, and one with two bases. */
interface Classes {
  readonly version?: number;
  readonly base?: string;
  readonly derived?: string;
  readonly second?: string;
  readonly both?: string;
  readonly bases?: string;
}

const CLASSES = (
  { version = 1, base = "", derived = "", second = "", both = "", bases = "first, second" }: Classes,
) => `
  struct first { int one = 1; virtual int area() { return ${version}; } virtual int name() { return 2; } ${base} };
  struct square : first { int name() override { return ${version} + 10; } ${derived} };
  struct second { int two = 2; virtual int size() { return ${version} + 20; } ${second} };
  struct third { virtual int rest() { return 1; } };
  struct both : ${bases} { int size() override { return two + ${version}; } ${both} };
  static first *kept;
  static second *other;
  int counter;
  extern "C" int make(void) { kept = new square; other = new both; return ++counter; }
  extern "C" int ask(void) { return kept->area() * 1000 + kept->name(); }
  extern "C" int size(void) { return other->size(); }
  extern "C" void *more(void) { return new first; }`;

interface Refusal {
  readonly classes: Classes;
  readonly table: string;
  readonly text: string;
  readonly was?: string;
  readonly is?: string;
}

testClasses(
  "what does not suit older objects is refused, with table, slot and names",
  async (folder, compiler) => {
    await using kept = hotModule(folder, compiler);
    await kept.load(CLASSES({}));
    kept.call("make");
    const refuse = async ({ classes, table, text, was, is }: Refusal): Promise<void> => {
      const { kind, message, data } = await rejection(() => kept.reload(CLASSES(classes)));
      assertEquals([kind, data.symbols?.includes(table), data.expected, data.actual], [
        "Incompatible",
        true,
        was,
        is,
      ]);
      assertStringIncludes(message, text);
      assertEquals([kept.call("ask"), kept.call("size")], [1011, 3]);
    };
    const own = "virtual int own() { return 4; }", added = "virtual int added() { return 3; }";
    await refuse({
      classes: { base: "", derived: "", second: "", bases: "second, first" },
      table: "_ZTI4both",
      text: "_ZTI4both: the base classes are others, or have other places",
    });
    // Both tables grow at the end.
    let report = await kept.reload(CLASSES({ derived: own, second: added }));
    assertEquals(tableOf(report, "_ZTV6square"), { fate: "appended", appended: 1, spare: 15 });
    assertEquals(tableOf(report, "_ZTV4both"), { fate: "appended", appended: 1, spare: 15 });
    await refuse({
      classes: { derived: own, second: added, base: added },
      table: "_ZTV6square",
      text: "slot 2 was _ZN6square3ownEv, is _ZN5first5addedEv",
      was: "_ZN6square3ownEv",
      is: "_ZN5first5addedEv",
    });
    await refuse({
      classes: { derived: own },
      table: "_ZTV4both",
      text: "was _ZN6second5addedEv, is gone",
      was: "_ZN6second5addedEv",
    });
    await refuse({
      classes: { derived: own, second: added, both: "virtual int more() { return 5; }" },
      table: "_ZTV4both",
      text: "in front of tables of other bases",
      is: "_ZN4both4moreEv",
    });
    // What nobody needs any more may change.
    const allowed = { derived: own, second: added, both: "virtual int more() { return 5; }" };
    report = await kept.reload(CLASSES(allowed), { compatibility: "allow" });
    assertEquals(tableOf(report, "_ZTV4both").fate, "fresh");
    assertEquals(tableOf(report, "_ZTV6square").fate, "kept");
  },
);

testClasses("functions are appended while slots last", async (folder, compiler) => {
  await using kept = hotModule(folder, compiler, FLAGS, { spareVirtuals: 2 });
  const source = (count: number) => `
    struct thing {
      virtual int first() { return 1; }
      ${
    Array.from({ length: count }, (_, at) => `virtual int more${at}() { return ${count * 10 + at}; }`).join(
      "\n",
    )
  }
    };
    static thing *kept;
    extern "C" int make(void) { kept = new thing; return 0; }
    extern "C" int ask(void) {
      return kept->first()${Array.from({ length: count }, (_, at) => `+ kept->more${at}()`).join("")};
    }`;
  await kept.load(source(0));
  kept.call("make");
  assertEquals(tableOf(await kept.reload(source(1)), "_ZTV5thing"), {
    fate: "appended",
    appended: 1,
    spare: 1,
  });
  assertEquals(kept.call("ask"), 11);
  assertEquals(tableOf(await kept.reload(source(2)), "_ZTV5thing"), {
    fate: "appended",
    appended: 1,
    spare: 0,
  });
  assertEquals(kept.call("ask"), 1 + 20 + 21);
  const error = await rejection(() => kept.reload(source(4)));
  assertStringIncludes(error.message, "_ZTV5thing: its spare slots are used up, and it needs 2 more");
  assertStringIncludes(error.hint!, "--spare-virtuals");
  // A version that was rolled back has used the slots, too: other functions cannot have them.
  kept.rollback();
  assertEquals(kept.call("ask"), 11);
  const other = source(2).replaceAll("more1", "other");
  assertStringIncludes(
    (await rejection(() => kept.reload(other))).message,
    "slot 2 was _ZN5thing5more1Ev, is _ZN5thing5otherEv",
  );
  const back = await kept.reload(source(2));
  assertEquals(tableOf(back, "_ZTV5thing"), { fate: "kept", appended: 0, spare: 0 });
  assertEquals(kept.call("ask"), 1 + 20 + 21);
});

testClasses("virtual bases and their construction tables stay", async (folder, compiler) => {
  const source = (version: number) => `
    struct root { int value = 1; virtual int id() { return ${version}; } virtual ~root() {} };
    struct left : virtual root { virtual int side() { return ${version} + 10; } };
    struct right : virtual root { virtual int end() { return value; } };
    struct whole : left, right {
      int asked = id();
      int id() override { return ${version} * 100; }
      int end() override { return ${version} + side(); }
    };
    static root *all[100];
    static int count;
    extern "C" int make(void) { all[count++] = new whole; return count; }
    extern "C" int check(void) {
      for (int at = 0; at < count; at++) {
        whole *each = dynamic_cast<whole *>(all[at]);
        if (each == nullptr) return 1000 + at;
        right *other = dynamic_cast<right *>(all[at]);
        asm volatile("" : "+r"(other));
        if (other != each || other->end() != ${version} * 2 + 10) return 2000 + at;
        left *first = each;
        asm volatile("" : "+r"(first));
        if (first->side() != ${version} + 10 || first->id() != ${version} * 100) return 3000 + at;
      }
      return 0;
    }`;
  // Optimisers do without the tables of construction where they can.
  await using kept = hotModule(folder, compiler, ["-O0", "-fdata-sections"]);
  await kept.load(source(1));
  for (let version = 2; version <= 6; version++) {
    kept.call("make");
    assertEquals(kept.call("check"), 0);
    const { tables } = await kept.reload(source(version));
    assertEquals(tables.filter(({ fate }) => fate !== "kept"), []);
    const names = tables.map(({ name }) => name);
    for (const name of ["_ZTT5whole", "_ZTV5whole", "_ZTI5whole"]) assert(names.includes(name), name);
    assertEquals(kept.call("check"), 0);
  }
  kept.rollback();
  kept.call("make");
  assertEquals(kept.call("check"), 0);
});

testClasses("classes of one name start anew, and the report says so", async (folder, compiler) => {
  const source = (version: number) => `
    struct base { virtual int id() { return ${version}; } };
    static base *all[10];
    static int count;
    template <int N> static base *made(void) { struct one : base { int id() override { return N; } }; return new one; }
    static base *second(void) {
      if (count > 100) { struct one : base { int id() override { return 3; } }; return new one; }
      struct one : base { int id() override { return ${version} * 10; } };
      return new one;
    }
    extern "C" int make(void) { all[count++] = made<1>(); all[count++] = second(); return count; }
    extern "C" int ask(int at) { return all[at]->id(); }`;
  await using kept = hotModule(folder, compiler);
  await kept.load(source(1));
  kept.call("make");
  const report = await kept.reload(source(2));
  const fresh = report.tables.filter(({ fate, name }) => fate === "fresh" && name.startsWith("_ZTV"));
  assertEquals(fresh.map(({ name, reason }) => [name, reason]), [
    ["_ZTVZL6secondvE3one_0", "the compiler numbers its name"],
  ]);
  kept.call("make");
  // The older object keeps the function of the version that made it.
  assertEquals([kept.call("ask", 1), kept.call("ask", 3)], [10, 20]);
});

testClasses("classes of anonymous namespaces in several files are not mixed up", async (folder, compiler) => {
  const file = (name: string, version: number, value: number) => `
    struct base { virtual int id() = 0; };
    namespace { struct local : base { int id() override { return ${version * 10 + value}; } }; }
    base *${name}() { return new local; }`;
  const main = (version: number) => `
    struct base { virtual int id() = 0; };
    base *first(); base *second();
    base *all[10];
    int count;
    extern "C" int make(void) { all[count++] = first(); all[count++] = second(); return ${version}; }
    extern "C" int ask(int at) { return all[at]->id(); }`;
  const sources = (version: number) => [file("first", version, 1), file("second", version, 2), main(version)];
  await using kept = hotModule(folder, compiler);
  await kept.load(sources(1));
  kept.call("make");
  for (let version = 2; version < 5; version++) {
    const { tables } = await kept.reload(sources(version));
    const name = "_ZTVN12_GLOBAL__N_15localE";
    const twice = tables.filter((table) => table.name === name);
    assertEquals(
      twice.map(({ fate, reason }) => [fate, reason]),
      Array(2).fill(["fresh", "its name is not unique"]),
    );
    kept.call("make");
    for (let at = 0; at < 2 * version; at++) {
      const made = Math.floor(at / 2) + 1;
      assertEquals(kept.call("ask", at), made * 10 + at % 2 + 1, `object ${at}`);
    }
  }
});

testClasses("type information that another module imports stays", async (folder, compiler) => {
  const base = "struct base { virtual int id(); virtual ~base(); };";
  const provider = (version: number) => `
    ${base}
    int base::id() { return ${version}; }
    base::~base() {}
    extern "C" base *made(void) { return new base; }
    extern "C" void provoke(void) { throw base(); }
    extern "C" int knows(base *other) { try { throw *other; } catch (base &) { return 1; } }`;
  const importer = `
    #include <typeinfo>
    ${base}
    extern "C" base *made(void);
    extern "C" void provoke(void);
    extern "C" int knows(base *);
    struct derived : base { int id() override { return base::id() + 1000; } };
    static base *old;
    extern "C" int check(void) {
      if (!old) old = made();
      base *now = made(), *mine = new derived;
      if (&typeid(*old) != &typeid(base) || &typeid(*now) != &typeid(base)) return -1;
      if (dynamic_cast<derived *>(mine) == nullptr || dynamic_cast<derived *>(now) != nullptr) return -2;
      if (old->id() != now->id() || mine->id() != now->id() + 1000 || !knows(mine)) return -3;
      try { provoke(); } catch (base &caught) { return caught.id(); }
      return -4;
    }`;
  await using kept = hotModule(folder, compiler);
  await kept.load(provider(1));
  using user = kept.registry.loadBytes(
    "user",
    await compiledVersion(folder, importer, { compiler, flags: FLAGS }),
  );
  const check = user.getFunction("check", { parameters: [], result: "i32" })!;
  assertEquals(check(), 1);
  for (let version = 2; version < 6; version++) {
    await kept.reload(provider(version));
    assertEquals(check(), version);
  }
  kept.rollback();
  assertEquals(check(), 4);
});

testClasses(
  "objects that initialisers made have the functions of later versions",
  async (folder, compiler) => {
    const source = (version: number) => `
    struct plugin {
      plugin *next = nullptr;
      virtual int run() { return ${version}; }
      ${version >= 3 ? `virtual int more() { return ${version} * 10; }` : ""}
    };
    plugin *made${version} = new plugin;
    ${
      version >= 2
        ? 'extern "C" int second(void) { return made2->run(); }'.replace("made2", "made" + version)
        : ""
    }
    static plugin *list;
    extern "C" int add(void) { made${version}->next = list; list = made${version}; return 0; }
    extern "C" int ask(void) {
      int sum = 0;
      for (plugin *each = list; each; each = each->next) sum += each->run()${
      version >= 3 ? "+ each->more()" : ""
    };
      return sum;
    }`;
    await using kept = hotModule(folder, compiler);
    await kept.load(source(1));
    kept.call("add");
    for (let version = 2; version <= 5; version++) {
      await kept.reload(source(version));
      kept.call("add");
      assertEquals(kept.call("ask"), version * (version >= 3 ? version * 11 : version));
    }
    kept.rollback();
    assertEquals(kept.call("ask"), 5 * 44);
  },
);

testClasses(
  "verify can call appended functions on older objects, and a refusal empties their slots",
  async (folder, compiler) => {
    const source = (version: number, ...names: readonly string[]) => `
    struct thing {
      int made = ${version};
      virtual int first() { return 1; }
      ${
      names.map((name, at) => `virtual int ${name}() { return made * 100 + ${version * 10 + at}; }`).join(
        "\n",
      )
    }
    };
    static thing *kept = new thing;
    extern "C" int ask(void) { return kept->first()${names.map((name) => ` + kept->${name}()`).join("")}; }`;
    const INT = { parameters: [], result: "i32" } as const;
    await using kept = hotModule(folder, compiler);
    await kept.load(source(1));
    assertEquals(kept.call("ask"), 1);
    for (const name of ["added", "other"]) {
      const asked: number[] = [];
      const error = await rejection(() =>
        kept.reload(source(2, name), {
          verify(candidate) {
            asked.push(candidate.getFunction("ask", INT)!());
            return false;
          },
        })
      );
      assertEquals([error.kind, asked], ["Incompatible", [1 + 120]]);
      assertEquals(kept.call("ask"), 1);
    }
    await kept.reload(source(3, "third", "fourth"));
    assertEquals(kept.call("ask"), 1 + 130 + 131);
  },
);

testClasses(
  "objects keep a function that becomes pure, and no other one takes its slot",
  async (folder, compiler) => {
    // Without optimisation the table is made although no object is.
    const source = (version: number, first: string) =>
      `
    struct thing { ${first} virtual int last() { return ${version}; } virtual ~thing() {} };
    struct real : thing { int one() { return ${version} + 50; } };
    static thing *kept;
    extern "C" int make(void) { ${
        first.includes("= 0") ? "kept = new real;" : "kept = new thing;"
      } return 0; }
    extern "C" int ask(void) { return kept->${/int (\w+)/.exec(first)![1]}() * 100 + kept->last(); }
    thing::~thing() {}`.replace("virtual ~thing() {}", "virtual ~thing();");
    const defined = (version: number) => source(version, `virtual int one() { return ${version}; }`);
    await using kept = hotModule(folder, compiler, ["-O0", "-fdata-sections"]);
    await kept.load(defined(1));
    kept.call("make");
    assertEquals(kept.call("ask"), 101);
    await kept.reload(source(2, "virtual int one() = 0;"));
    // The object's class has no such function any more: it has that of the version before.
    assertEquals(kept.call("ask"), 102);
    const error = await rejection(() => kept.reload(source(3, "virtual int other() { return 3; }")));
    assertStringIncludes(error.message, "_ZTV5thing: slot 0 was _ZN5thing3oneEv, is _ZN5thing5otherEv");
    await kept.reload(defined(4));
    assertEquals(kept.call("ask"), 404);
    kept.rollback();
    assertEquals(kept.call("ask"), 402);
  },
);

testClasses(
  "a virtual function with another result is refused, where types tell it",
  async (folder, compiler) => {
    const source = (type: string, more = "") => `
    struct thing { virtual int first() { return 1; } virtual ${type} size() { return 2; } ${more} };
    static thing *kept;
    extern "C" int make(void) { kept = new thing; return 0; }
    extern "C" int ask(void) { return kept->first() + (int)kept->size(); }`;
    await using kept = hotModule(folder, compiler);
    await kept.load(source("int"));
    kept.call("make");
    const error = await rejection(() => kept.reload(source("double")));
    assertStringIncludes(error.message, "_ZTV5thing: slot 1 was declared as");
    assertStringIncludes(error.hint!, "under another name");
    assertEquals(kept.call("ask"), 3);
    await kept.reload(source("int", "virtual double exact() { return 2.5; }"));
    assertEquals(kept.call("ask"), 3);
  },
);

testClasses(
  "a class that gets a member keeps its tables, and its objects are reported",
  async (folder, compiler) => {
    const source = (version: number, more = "") => `
    struct thing {
      int own = 1; ${more}
      virtual int size(thing &other) { return own + other.own + ${version}; }
      thing *self() { return this; }
    };
    thing *(thing::*function)() = &thing::self;
    thing *kept;
    extern "C" int make(void) { kept = new thing; return 0; }
    extern "C" int ask(void) { return kept->size(*(kept->*function)()); }`;
    await using kept = hotModule(
      folder,
      compiler,
      compiler === "g++" ? FLAGS : [...FLAGS, "-fstandalone-debug"],
    );
    await kept.load(source(1));
    kept.call("make");
    const report = await kept.reload(source(2, "int more = 5;"));
    assertEquals(tableOf(report, "_ZTV5thing").fate, "kept");
    assertEquals(report.changedPointees.map(({ name }) => name), ["kept"]);
    assertEquals(kept.call("ask"), 4);
  },
);

testClasses(
  "a slot keeps the function that a version gave it in which nothing else has changed, after a rollback, too",
  async (folder, compiler) => {
    const source = (slots: string) => `
    struct pure { pure(); virtual int nothing() = 0; };
    pure::pure() {}
    struct thing { thing(); ${slots} };
    thing::thing() {}
    int thing::size() { return 1; }
    int thing::area() { return 2; }
    extern "C" int ask(void) { return 3; }`;
    await using kept = hotModule(folder, compiler);
    await kept.load(source("virtual int size() = 0; virtual int area() = 0;"));
    await kept.reload(source("virtual int size(); virtual int area();"));
    kept.rollback();
    const error = await rejection(() => kept.reload(source("virtual int area(); virtual int size();")));
    assertStringIncludes(error.message, "_ZTV5thing: slot 0 was _ZN5thing4sizeEv");
    await kept.reload(source("virtual int size(); virtual int area();"));
    assertEquals(kept.call("ask"), 3);
  },
);
