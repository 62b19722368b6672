/**
 * Benchmarks whole processes: a program that loads, binds, calls and closes; a Worker that imports the package;
 * a link by the command. Each from the package as it is published, and from the sources.
 *
 * All sides run in turns, each in a process of its own, so that a disturbance of the machine disturbs all alike.
 * CPU time counts all threads of the process.
 *
 * Run it alone with `deno run -A tests/bench/start_bench.ts`
 */
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { compile, hasCommand } from "../support/compilers.ts";
import { addModule } from "../support/testing.ts";
import { childrenClock, median } from "./measure.ts";
import { columns } from "./report.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** A program, and the one that it is compared with. */
interface Side {
  readonly name: string;
  readonly command: readonly string[];
  /** The name of the side whose time is taken off. Absent: the whole process counts. */
  readonly beyond?: string;
  /** The most CPU milliseconds. */
  readonly goal?: number;
}

/** The times of one side, in milliseconds. */
export interface StartRow {
  readonly name: string;
  readonly beyond: string | undefined;
  /** CPU time of all threads of the process; NaN where the system does not tell it. */
  readonly cpu: number;
  readonly cpuBeyond: number;
  readonly wall: number;
  readonly wallBeyond: number;
  readonly goal: number | undefined;
}

/** The result of the benchmark. */
export interface StartReport {
  readonly rows: readonly StartRow[];
  readonly skipped: readonly string[];
}

interface Times {
  readonly cpu: number;
  readonly wall: number;
}

function runner(): (command: readonly string[]) => Times {
  const clock = childrenClock() ?? (() => NaN);
  return ([program, ...args]) => {
    const cpu = clock(), wall = performance.now();
    const { success, stderr } = new Deno.Command(program, { args, stdin: "null", stdout: "null" })
      .outputSync();
    const times = { cpu: clock() - cpu, wall: performance.now() - wall };
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return times;
  };
}

/** Builds the package as it is published. */
function buildPackage(folder: string): void {
  const { success, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--lock", ".ci/build/deno.lock", ".ci/build/main.ts", folder],
    cwd: ROOT,
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const ADD = `{ add: { parameters: ["i64", "i64"], result: "i64" } }`;

/** Programs for one copy of the package, the text of each under its name. */
const PROGRAMS = {
  import: `import "@simple/loader";`,
  load: `
    import { ModuleLoader } from "@simple/loader";
    using module = new ModuleLoader().load(Deno.args[0]);
    const { symbols } = module.bind(${ADD});
    if (symbols.add(2n, 3n) !== 5n) throw new Error("a wrong sum");
  `,
  worker: `
    const worker = new Worker(new URL("./in_worker.ts", import.meta.url), { type: "module" });
    await new Promise((resolve) => worker.onmessage = resolve);
    worker.terminate();
  `,
  in_worker: `
    import "@simple/loader/attach";
    (globalThis as unknown as { postMessage(message: unknown): void }).postMessage("ready");
  `,
  whole_worker: `
    const worker = new Worker(new URL("./in_whole_worker.ts", import.meta.url), { type: "module" });
    await new Promise((resolve) => worker.onmessage = resolve);
    worker.terminate();
  `,
  in_whole_worker: `
    import "@simple/loader";
    (globalThis as unknown as { postMessage(message: unknown): void }).postMessage("ready");
  `,
  attach: `
    import { ModuleRegistry } from "@simple/loader";
    using registry = new ModuleRegistry();
    using live = registry.open(Deno.args[0], ${ADD});
    const worker = new Worker(new URL("./in_attached.ts", import.meta.url), { type: "module" });
    worker.postMessage(live.share());
    const { data } = await new Promise<MessageEvent>((resolve) => worker.onmessage = resolve);
    if (data !== 5n) throw new Error("a wrong sum");
    worker.terminate();
  `,
  in_attached: `
    import { LiveLibrary, type LiveToken } from "@simple/loader/attach";
    const scope = globalThis as unknown as {
      onmessage: (event: MessageEvent<LiveToken>) => void;
      postMessage(message: unknown): void;
    };
    scope.onmessage = ({ data }) => {
      using library = LiveLibrary.attach(data, ${ADD});
      scope.postMessage(library.symbols.add(2n, 3n));
    };
  `,
};

/** The programs that do the same without the package. */
const PEERS = {
  import: "",
  load: `
    const library = Deno.dlopen(Deno.args[1], { add: { parameters: ["i32", "i32"], result: "i32" } });
    if (library.symbols.add(2, 3) !== 5) throw new Error("a wrong sum");
    library.close();
  `,
  worker: PROGRAMS.worker,
  in_worker: PROGRAMS.in_worker.replace(/import .*/, ""),
};

function writePrograms(
  folder: string,
  programs: Readonly<Record<string, string>>,
  config: Readonly<Record<string, unknown>>,
): void {
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(join(folder, "deno.json"), JSON.stringify(config));
  for (const [name, text] of Object.entries(programs)) {
    Deno.writeTextFileSync(join(folder, `${name}.ts`), text);
  }
}

/** A copy of the package, with the files of `import "@simple/loader"`, of its part for Workers, and of the command. */
interface Copy {
  readonly name: string;
  readonly main: string;
  readonly attach: string;
  readonly command: string;
}

function copies(folder: string): readonly Copy[] {
  const copy = (name: string, root: string, ending: string): Copy => ({
    name,
    main: join(root, `mod${ending}`),
    attach: join(root, "src", "module", "share", `mod${ending}`),
    command: join(root, "src", "cli", `main${ending}`),
  });
  return [
    copy("as published", join(folder, "package", "built"), ".js"),
    copy("from a clone", ROOT, ".ts"),
  ];
}

async function makeSides(folder: string, skipped: string[]): Promise<readonly Side[]> {
  const standard = JSON.parse(Deno.readTextFileSync(join(ROOT, ".ci", "smoke.json"))).imports;
  const imports = Object.fromEntries(
    Object.entries<string>(standard).map(([name, path]) => [name, toFileUrl(join(ROOT, ".ci", path)).href]),
  );
  const module = join(folder, "add.smf"), library = join(folder, "add.so"), object = join(folder, "add.o");
  Deno.writeFileSync(module, addModule());
  const hasCompiler = Deno.build.os === "linux" && hasCommand("gcc") && hasCommand("ld");
  const run = (side: string, program: string, ...args: string[]): string[] => {
    const config = join(folder, side, "deno.json"), path = join(folder, side, `${program}.ts`);
    return [Deno.execPath(), "run", "-A", "--no-check", "--no-lock", "--config", config, path, ...args];
  };

  writePrograms(join(folder, "none"), PEERS, {});
  const empty = "an empty script", emptyWorker = "an empty Worker";
  const sides: Side[] = [
    { name: empty, command: run("none", "import") },
    { name: emptyWorker, command: run("none", "worker") },
  ];
  if (hasCompiler) {
    const source = join(folder, "add.c");
    Deno.writeTextFileSync(source, "int add(int a, int b) { return a + b; }\n");
    await compile("gcc", ["-O2", "-fPIC", "-c", source, "-o", object]);
    await compile("gcc", ["-shared", object, "-o", library]);
    sides.push(
      { name: "Deno.dlopen, one call, close", command: run("none", "load", "", library), beyond: empty },
      { name: "ld -shared of one object", command: ["ld", "-shared", object, "-o", join(folder, "ld.so")] },
      {
        name: "gcc -shared of one source",
        command: ["gcc", "-shared", "-O2", "-fPIC", source, "-o", join(folder, "gcc.so")],
      },
    );
  } else skipped.push("Deno.dlopen, ld, gcc and links: need gcc on Linux");
  for (const { name, main, attach, command } of copies(folder)) {
    const isPublished = name === "as published";
    writePrograms(join(folder, name), PROGRAMS, {
      imports: {
        ...imports,
        "@simple/loader": toFileUrl(main).href,
        "@simple/loader/attach": toFileUrl(attach).href,
      },
    });
    sides.push(
      { name: `import, ${name}`, command: run(name, "import"), beyond: empty },
      {
        name: `load, bind, one call, close, ${name}`,
        command: run(name, "load", module),
        beyond: empty,
        goal: isPublished ? 25 : 60,
      },
      {
        name: `a Worker to its first message, ${name}`,
        command: run(name, "worker"),
        beyond: emptyWorker,
        ...(isPublished && { goal: 10 }),
      },
      {
        name: `a Worker that imports everything, ${name}`,
        command: run(name, "whole_worker"),
        beyond: emptyWorker,
        ...(isPublished && { goal: 10 }),
      },
      {
        name: `a load, and a Worker that attaches and calls, ${name}`,
        command: run(name, "attach", module),
        beyond: emptyWorker,
      },
    );
    if (!hasCompiler) continue;
    const options = ["run", "-A", "--no-check", "--no-lock", "--config", join(folder, name, "deno.json")];
    sides.push({
      name: `smf link of one object, ${name}`,
      command: [Deno.execPath(), ...options, command, "link", object, "-o", join(folder, `${name}.smf`)],
      ...(isPublished && { goal: 60 }),
    });
  }
  return sides;
}

/** Runs the benchmark. */
export async function startBench(rounds = 15): Promise<StartReport> {
  const skipped: string[] = [];
  const folder = Deno.makeTempDirSync({ prefix: "smf_start_bench_" });
  try {
    buildPackage(join(folder, "package"));
    const sides = await makeSides(folder, skipped), run = runner();
    const times = new Map(sides.map(({ name }) => [name, [] as Times[]]));
    // The first runs fill Deno's caches.
    for (const { command } of sides) for (let warmup = 0; warmup < 2; warmup++) run(command);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < sides.length; turn++) {
        const { name, command } = sides[(turn + round) % sides.length];
        times.get(name)!.push(run(command));
      }
    }
    const middle = (name: string, key: keyof Times): number =>
      median(times.get(name)!.map((time) => time[key]));
    const rows = sides.map(({ name, beyond, goal }): StartRow => {
      const [cpu, wall] = [middle(name, "cpu"), middle(name, "wall")];
      return {
        name,
        beyond,
        cpu,
        cpuBeyond: beyond === undefined ? cpu : cpu - middle(beyond, "cpu"),
        wall,
        wallBeyond: beyond === undefined ? wall : wall - middle(beyond, "wall"),
        goal,
      };
    });
    return { rows, skipped };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Formats the report as text. */
export function startTable({ rows, skipped }: StartReport): string {
  const number = (value: number): string => Number.isNaN(value) ? "–" : value.toFixed(1);
  const cells = rows.map(({ name, beyond, cpu, cpuBeyond, wall, wallBeyond, goal }) => [
    `  ${name}`,
    number(cpu),
    beyond === undefined ? "" : number(cpuBeyond),
    number(wall),
    beyond === undefined ? "" : number(wallBeyond),
    goal === undefined ? "" : number(goal),
    goal === undefined || Number.isNaN(cpu) ? "" : cpuBeyond <= goal ? "met" : "MISSED",
  ]);
  return [
    "start",
    ...columns([
      ["  process", "CPU (ms)", "beyond empty", "wall (ms)", "beyond empty", "goal (CPU)", ""],
      ...cells,
    ]),
    ...skipped.map((reason) => `  skipped ${reason}`),
  ].join("\n");
}

if (import.meta.main) console.log(startTable(await startBench()));
