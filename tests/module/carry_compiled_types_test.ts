// Real modules with debug information, carried from version to version.
import { assert, assertEquals } from "@std/assert";
import { type CarryReport, type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { compiledVersion } from "../support/compiled_versions.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { randomFrom } from "../support/testing.ts";

const FLAGS = { gcc: ["-O2", "-g"], "g++": ["-O2", "-g", "-fno-rtti"] } as const;

/** Carries from one version to the next. */
async function carried(
  folder: string,
  [old, now]: readonly [string, string],
  before: (module: LoadedModule) => void,
  after: (module: LoadedModule, report: CarryReport) => void,
  compiler: "gcc" | "g++" = "gcc",
): Promise<void> {
  const [first, second] = [
    await compiledVersion(folder, old, { compiler, flags: FLAGS[compiler] }),
    await compiledVersion(folder, now, { compiler, flags: FLAGS[compiler] }),
  ];
  using registry = new ModuleRegistry();
  before(registry.loadBytes("m", first));
  const module = registry.reload("m", { bytes: second, state: "carry" });
  after(module, module.carried!);
}

function call(module: LoadedModule, name: string, ...args: number[]): number {
  const parameters = args.map(() => "i32" as const);
  return (module.getFunction(name, { parameters, result: "f64" }) as (...args: number[]) => number)(...args);
}

const LIST = (fields: string, code: string) => `
  struct vec { ${fields.includes("mass") ? "float z; " : ""}float x, y; };
  struct particle { ${fields} };
  struct particle pool[4];
  struct particle *first;
  float *watched;
  ${code}`;

testWithCompilers(
  ["gcc"],
  "a linked list in an array survives fields in front and in nested structs",
  async (folder) => {
    await carried(
      folder,
      [
        LIST(
          "float x; struct vec v; int kind; struct particle *next;",
          `double start(void) {
           for (int i = 0; i < 4; i++) pool[i] = (struct particle){i, {10 + i, 20 + i}, -i, i ? &pool[i - 1] : 0};
           first = &pool[3]; watched = &pool[2].x; return 0; }`,
        ),
        LIST(
          "double mass; struct particle *next; struct vec v; long kind; float x;",
          `double check(int at) {
           struct particle *p = first;
           for (int i = 0; i < at; i++) p = p->next;
           if (at == 3 && p->next) return -1;
           return p->x + 100 * p->v.x + 10000 * p->v.y + 1e6 * -p->kind + p->mass + p->v.z; }
         double seen(void) { return *watched; }`,
        ),
      ],
      (module) => call(module, "start"),
      (module, report) => {
        for (let at = 0; at < 4; at++) {
          const i = 3 - at;
          assertEquals(call(module, "check", at), i + 100 * (10 + i) + 10000 * (20 + i) + 1e6 * i);
        }
        // The second element and its first field began together; the pointer's type tells which is meant.
        assertEquals(call(module, "seen"), 2);
        assertEquals(report.oldPointers, []);
        assertEquals(report.converted.map(({ name }) => name), ["pool"]);
        assertEquals(report.converted[0].changes, [
          "struct vec: + float z; x, y keep their values",
          "struct particle: + double mass; kind: int → long int; next, v, x keep their values",
        ]);
      },
    );
  },
);

testWithCompilers(
  ["gcc"],
  "a pointer to a field that is gone keeps the old version, one in a field that is gone does not",
  async (folder) => {
    const source = (fields: string, more: string) => `
    struct s { ${fields} };
    struct s one = {1, 2};
    int other = 5;
    int *to;
    ${more}`;
    await carried(
      folder,
      [
        source(
          "int a, b; int *inside;",
          "double start(void) { to = &one.b; one.inside = &other; return 0; }",
        ),
        source("long c; int a;", "double a(void) { return one.a; }"),
      ],
      (module) => call(module, "start"),
      (module, report) => {
        assertEquals(call(module, "a"), 1);
        assertEquals(report.oldPointers.map(({ name, offset }) => [name, offset]), [["to", 0]]);
      },
    );
  },
);

testWithCompilers(
  ["g++"],
  "C++: base classes are carried, objects with virtual functions are not",
  async (folder) => {
    const source = (extra: string, more: string) => `
    struct Base { int id; ${extra} };
    struct Derived : Base { double value; };
    Derived plain; 
    struct Shape { int kind; virtual int area() { return kind; } };
    Shape shape;
    extern "C" { ${more} }`;
    await carried(
      folder,
      [
        source(
          "",
          "double start() { plain.id = 3; plain.value = 0.5; shape.kind = 9; return shape.area(); }",
        ),
        source(
          "short more[8];",
          "double check() { return plain.id + plain.value + plain.more[7]; } double area() { return shape.area(); }",
        ),
      ],
      (module) => call(module, "start"),
      (module, report) => {
        assertEquals(call(module, "check"), 3.5);
        assertEquals(call(module, "area"), 0);
        assertEquals(
          report.fresh.find(({ name }) => name === "shape")?.reason,
          "struct Shape has a destructor, a copy constructor or virtual functions, so its bytes are not its value",
        );
      },
      "g++",
    );
  },
);

/** A scalar type of C: its name, its rank among those that widen into each other, and random values. */
const SCALARS = [
  { name: "signed char", widens: ["short", "int", "long", "float", "double"], low: -128, high: 127 },
  { name: "unsigned char", widens: ["short", "unsigned", "long", "float"], low: 0, high: 255 },
  { name: "short", widens: ["int", "long", "double"], low: -32768, high: 32767 },
  { name: "int", widens: ["long", "double"], low: -2147483648, high: 2147483647 },
  { name: "unsigned", widens: ["long", "unsigned long", "double"], low: 0, high: 4294967295 },
  { name: "float", widens: ["double"], low: -1000, high: 1000 },
  { name: "long", widens: [], low: -1e15, high: 1e15 },
  { name: "double", widens: [], low: -1e15, high: 1e15 },
] as const;

type Random = (limit: number) => number;
/** A field of the generated structs. */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly count: number;
  readonly fields?: readonly Field[];
}

let unique = 0;

function randomFields(random: Random, depth: number): Field[] {
  return Array.from({ length: 1 + random(6) }, (): Field => {
    const name = `f${unique++}`, count = random(3) === 0 ? 1 + random(4) : 1;
    if (depth > 0 && random(4) === 0) {
      return { name, type: `struct s${unique++}`, count, fields: randomFields(random, depth - 1) };
    }
    return { name, type: SCALARS[random(SCALARS.length)].name, count };
  });
}

/** Changes a struct: fields go, come, widen, and change their order and number. */
function mutate(random: Random, fields: readonly Field[], depth: number): Field[] {
  const next = fields.filter((_, index) => index === 0 || random(6) > 0).map((field): Field => {
    const count = field.count > 1 ? Math.max(2, field.count + random(3) - 1) : 1;
    if (field.fields !== undefined) {
      return {
        ...field,
        count,
        fields: random(2) === 0 ? mutate(random, field.fields, depth - 1) : field.fields,
      };
    }
    const { widens } = SCALARS.find(({ name }) => name === field.type)!;
    const type = widens.length > 0 && random(3) === 0 ? widens[random(widens.length)] : field.type;
    return { ...field, count, type };
  });
  for (let added = random(3); added > 0; added--) next.push(...randomFields(random, 0).slice(0, 1));
  return next.map((field) => [random(1000), field] as const).sort(([a], [b]) => a - b).map(([, field]) =>
    field
  );
}

function declare(fields: readonly Field[]): string {
  return fields.map(({ name, type, count, fields }) =>
    `${fields === undefined ? type : `${type} { ${declare(fields)} }`} ${name}${
      count > 1 ? `[${count}]` : ""
    };`
  ).join(" ");
}

/** The paths of the numbers in a struct, with their types. */
function paths(fields: readonly Field[], prefix: string): [path: string, type: string][] {
  return fields.flatMap(({ name, type, count, fields }) =>
    Array.from({ length: count }, (_, index) => `${prefix}.${name}${count > 1 ? `[${index}]` : ""}`).flatMap((
      path,
    ): [string, string][] => fields === undefined ? [[path, type]] : paths(fields, path))
  );
}

testWithCompilers(
  ["gcc"],
  "random changes of structs keep each number that both versions have (gcc says where)",
  async (folder) => {
    for (let seed = 1; seed <= 5; seed++) {
      const random = randomFrom(seed);
      const limit: Random = (limit) => random() % limit;
      const fraction = () => random() / 2 ** 32;
      const old = randomFields(limit, 2);
      const now = mutate(limit, old, 2);
      const [count, newCount] = [2 + limit(3), 2 + limit(3)];
      const all = (fields: readonly Field[], count: number) =>
        Array.from({ length: count }, (_, index) => paths(fields, `all[${index}]`)).flat();
      const values = new Map(
        all(old, count).map(([path, type]) => {
          const { low, high } = SCALARS.find(({ name }) => name === type)!;
          return [path, [low, high, Math.round(low + fraction() * (high - low))][limit(3)]];
        }),
      );
      const written = [...values].map(([path, value]) => `${path} = ${value};`).join("\n");
      // What the old version lacks keeps what the new one's initialiser wrote.
      const after = all(now, newCount);
      const initial = after.map(([path]) => `${path} = 77;`).join("\n");
      const checks = after.map(([path], index) =>
        `if (${path} != ${values.get(path) ?? 77}) return ${index + 1};`
      );
      await carried(
        folder,
        [
          `struct all { ${declare(old)} } all[${count}]; double start(void) { ${written} return 0; }`,
          `struct all { ${declare(now)} } all[${newCount}];
         __attribute__((constructor)) static void set(void) { ${initial} }
         double check(void) { ${checks.join("\n")} return 0; }`,
        ],
        (module) => call(module, "start"),
        (module, report) => {
          const wrong = call(module, "check");
          assertEquals(wrong === 0 ? "" : `seed ${seed}: ${after[wrong - 1]}`, "");
          assertEquals(report.fresh, [], `seed ${seed}`);
          const shared = after.filter(([path]) => values.has(path)).length;
          assert(shared > 0, `seed ${seed}`);
        },
      );
    }
  },
);
