// The package as its users get it: entry points, their documentation, and a project that depends on it.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { addModule, TemporaryDirectory } from "./support/testing.ts";
import { testSince } from "./support/deno_version.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const CONFIG: {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly links: readonly string[];
  readonly tasks: Readonly<Record<string, { readonly command: string }>>;
  readonly publish: { readonly include: readonly string[] };
} = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
const ENTRY_POINTS = Object.entries(CONFIG.exports);
const FILES = ENTRY_POINTS.map(([, file]) => file.replace("./", ""));

const read = (path: string): string => Deno.readTextFileSync(join(ROOT, path));

/** Runs this Deno and returns its standard output. */
async function deno(args: readonly string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("the package describes itself, and publishes no tests, fixtures or examples", () => {
  assert(CONFIG.description.length > 20 && CONFIG.description.length <= 250);
  assertEquals(CONFIG.license, "MIT");
  assertEquals(ENTRY_POINTS.map(([name]) => name), [
    ".",
    "./format",
    "./link",
    "./attach",
    "./build",
    "./cli",
  ]);
  for (const included of CONFIG.publish.include) {
    Deno.statSync(join(ROOT, included));
    assert(!/^(tests|fixtures|examples|\.ci)/.test(included), included);
  }
});

Deno.test("every entry point says what it is for, with an example", () => {
  for (const file of FILES) {
    const [comment] = /^\/\*\*[^]*?\*\//.exec(read(file)) ?? [""];
    assertStringIncludes(comment, "@module", file);
    assertStringIncludes(comment, "```", file);
  }
});

Deno.test("every entry point is checked for documentation and slow types", () => {
  const list = FILES.join(" ");
  assertStringIncludes(CONFIG.tasks.ok.command, `deno doc --lint ${list} &&`);
  assertStringIncludes(read(".ci/run"), `doc --lint ${list}\n`);
});

/** A node in the output of `deno doc --json`. */
interface Documented {
  readonly name?: string;
  readonly kind?: string;
  readonly accessibility?: string;
  readonly jsDoc?: unknown;
  readonly def?: Readonly<Record<string, unknown>>;
  readonly functionDef?: { readonly hasBody?: boolean };
}

/** Lists the members without a comment: of a class, of an interface, of the object types in an alias. */
function undocumented(name: string, declaration: Documented): string[] {
  // Another entry point documents it.
  if (declaration.kind === "reference") return [];
  const found: string[] = declaration.jsDoc === undefined ? [name] : [];
  const members = (value: unknown): void => {
    if (Array.isArray(value)) return void value.forEach(members);
    if (typeof value !== "object" || value === null) return;
    const { properties = [], methods = [], ...others } = value as {
      readonly properties?: readonly Documented[];
      readonly methods?: readonly Documented[];
    };
    // Callers see the overloads, not what implements them.
    const overloads = new Set(
      methods.filter(({ functionDef }) => !functionDef?.hasBody).map(({ name }) => name),
    );
    for (const member of [...properties, ...methods]) {
      if (member.accessibility === "private" || member.jsDoc !== undefined) continue;
      if (member.functionDef?.hasBody && overloads.has(member.name)) continue;
      found.push(`${name}.${member.name}`);
    }
    if (declaration.kind === "typeAlias") Object.values(others).forEach(members);
  };
  if (["class", "interface", "typeAlias"].includes(declaration.kind ?? "")) members(declaration.def);
  return found;
}

testSince(5, "every public name and every member of it is documented", async () => {
  const { nodes } = JSON.parse(await deno(["doc", "--json", ...FILES], ROOT));
  const symbols = Object.values(nodes).flatMap((node) =>
    (node as { symbols: readonly { name: string; declarations: readonly Documented[] }[] }).symbols
  );
  assert(symbols.length > 80);
  // These are properties of definitions in conditions, whose comments are there.
  const exempt = [
    "Callable.integers",
    "Callable.resultBuffer",
    "Callable.captureErrno",
    "CapturedResult.captureErrno",
    "Callable.optional",
    "ConvertedFunction.nonblocking",
    "ConvertedFunction.resultBuffer",
  ];
  assertEquals(
    symbols.flatMap(({ name, declarations }) =>
      // Nobody sees what implements overloads.
      declarations.filter(({ def }, _, all) => all.length === 1 || def?.hasBody !== true)
        .flatMap((one) => undocumented(name, one))
    )
      .filter((name) => !exempt.includes(name)),
    [],
  );
});

/** The public face. A new or removed name is a decision, with a line in CHANGELOG.md. */
const PUBLIC_NAMES = `
  AddressLease AnyFunction AttachLiveOptions AttachOptions BindOptions BoundByTypes BoundFunction BoundModule BoundSymbols CallPath Callable
  CapturedResult ConvertedArguments ConvertedFunction ConvertedResult Definitions ErrnoResult FunctionDefinition Integers ParameterType ResultBuffer ResultType SymbolsOf CarryOptions CarryReport
  ChangedPointee ChangedUse ConvertedVariable CrashFrame CrashOptions OnCrash
  ExecutableMemory FreshVariable ImportOptions ImportRecord ImportResolver ImportValue ImportedFunction
  InspectedModule InspectedVersion KeptTable RegistryInspection
  IntegrityAlgorithm KeptVersion LinkCache LinkInput LinkMap LinkOptions LinkedModule LiveLibrary LiveToken
  LoadError LoadErrorData LoadErrorKind LoadOptions LoadedModule MemoryAllocator ModuleBytesOptions
  ModuleDescription ModuleExport ModuleLoadOptions ModuleLoader ModuleLoaderOptions ModuleRegistry
  ModuleRegistryOptions ModuleSet ModuleSymbols ModuleToken NativeCallback ObservedSet OldPointer OpenOptions ParsedSmf Protection ReloadOptions ReplacedCodeFate SafePointOptions
  ReloadStep RelocationOptions SectionOptions SmfBuilder SmfBuilderOptions SmfFile SmfHeader SmfSection SmfSymbol SourceFrame
  SymbolOptions SymbolTable SymbolizedAddress TakenPath TakeoverOptions TraceEvent TraceFacts TraceKind TrustOptions TypeCheck TypedLibrary UnloadOptions UnusedObjects WatchEvent WatchOptions integrityOf
  linkObjects parseSmf platformAllocator
  CharArray FieldView LiveView StructView ViewArrays ViewDescription ViewOf ViewStruct ViewType ViewedModule
`;

testSince(5, "mod.ts exports these names and no others", async () => {
  const { nodes } = JSON.parse(await deno(["doc", "--json", "mod.ts"], ROOT));
  const [{ symbols }] = Object.values(nodes) as { symbols: readonly { name: string }[] }[];
  assertEquals(symbols.map(({ name }) => name).sort(), PUBLIC_NAMES.trim().split(/\s+/).sort());
});

/** Types do not depend on the platform, and checking them takes an emulator minutes. */
const CHECK = Deno.build.arch === "x86_64" ? "--check" : "--no-check";

/** The folder of the package that projects get: this repository, or a build of it. */
const PACKAGE = Deno.env.get("SMF_PACKAGE") ?? ROOT;

/** A project in another folder that imports this package by name. */
class Project extends TemporaryDirectory {
  constructor() {
    super();
    const imports = { [CONFIG.name]: `jsr:${CONFIG.name}@^${CONFIG.version}` };
    // Deno ignores the links of a link, so the project lists those of the standard library itself.
    const links = [PACKAGE, ...CONFIG.links.map((link) => join(ROOT, link))]
      .map((path) => toFileUrl(path).href);
    this.file("deno.json", new TextEncoder().encode(JSON.stringify({ imports, links })));
  }

  /** Writes a program, runs it, and returns its standard output. */
  async run(program: string, ...flags: string[]): Promise<string> {
    this.file("main.ts", new TextEncoder().encode(program));
    return await deno(["run", "--no-lock", "--no-prompt", CHECK, ...flags, "main.ts"], this.path);
  }
}

testSince(5, "another project imports every entry point by name, and a module as bytes", async () => {
  using project = new Project();
  project.file("arith.smf", addModule());
  const output = await project.run(
    `
      import { LoadError, ModuleRegistry, parseSmf } from "@simple/loader";
      import * as format from "@simple/loader/format";
      import * as linker from "@simple/loader/link";
      import { LiveLibrary } from "@simple/loader/attach";
      import { runProgram } from "@simple/loader/cli";
      import bytes from "./arith.smf" with { type: "bytes" };

      if (format.parseSmf !== parseSmf || linker.LoadError !== LoadError) throw new Error("two copies of one name");
      if (typeof linker.linkObjects !== "function" || typeof runProgram !== "function") throw new Error("a function is missing");
      using registry = new ModuleRegistry();
      const add = registry.loadBytes("arith", bytes).getFunction("add", {
        parameters: ["i64", "i64"],
        result: "i64",
      });
      const definitions = { add: { parameters: ["i64", "i64"], result: "i64" } } as const;
      using attached = LiveLibrary.attach(registry.open("arith", definitions).share(), definitions);
      console.log(format.parseSmf(bytes).header.layout, add?.(2n, 3n), attached.symbols.add(3n, 4n));
    `,
    "--unstable-raw-imports",
    // On Windows calls are fast only with permission for a temporary file, which they do not need here.
    "--allow-ffi",
  );
  assertEquals(output.trim(), "H96 5n 7n");
});

testSince(5, "the guide's deno.json is the one that such a project needs", () => {
  const [, json] = /```json\n([^]*?)```/.exec(read("docs/guide.md"))!;
  const links = [".", ...CONFIG.links].map((link) => join("../loader", link).replaceAll("\\", "/"));
  assertEquals(JSON.parse(json), {
    imports: { [CONFIG.name]: `jsr:${CONFIG.name}@^${CONFIG.version}` },
    links,
  });
});

testSince(5, "format and link ask for no permission", async () => {
  using project = new Project();
  const output = await project.run(`
    import { parseSmf, SmfBuilder } from "@simple/loader/format";
    import { LoadError, linkObjects } from "@simple/loader/link";

    const builder = new SmfBuilder();
    builder.section({ name: "code", type: 1, bytes: new Uint8Array([0xc3]) });
    const kinds = [parseSmf(builder.build()).sections[0].name];
    try {
      linkObjects([{ name: "no.o", bytes: new Uint8Array(4) }]);
    } catch (error) {
      if (error instanceof LoadError) kinds.push(error.kind);
    }
    console.log(kinds.join(" "));
  `);
  assertEquals(output.trim(), "code InvalidFormat");
});

testSince(5, "the command runs under the package's name", async () => {
  using project = new Project();
  const output = await deno(
    ["run", "--no-lock", "--no-prompt", `jsr:${CONFIG.name}/cli`, "--help"],
    project.path,
  );
  assertStringIncludes(output, "smf <command>");
});
