/**
 * Uses one feature and prints the outcome: `ok`, or an error's kind and message.
 * Its imports are static, so they need no permission.
 */
import {
  integrityOf,
  linkObjects,
  LiveLibrary,
  LoadedModule,
  LoadError,
  ModuleLoader,
  ModuleRegistry,
  parseSmf,
  platformAllocator,
  SmfBuilder,
} from "../mod.ts";
import { build, cc } from "../src/build/mod.ts";
import { makeKeys, SectionType, signModule, SymbolType } from "../src/smf/mod.ts";
import { ANSWER, answering } from "./support/modules.ts";
import { version } from "./support/versions.ts";
import { functionObject } from "./support/objects.ts";

const [feature, path, library] = Deno.args;

function check(value: unknown, expected: unknown): void {
  if (value !== expected) throw new Error(`${value} instead of ${expected}`);
}

const valueOf = (module: LoadedModule): unknown => module.getFunction("value", ANSWER)!();

function smallModule(): Uint8Array {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([0xc3]) });
  builder.symbol({ name: "nothing", type: SymbolType.Function, size: 1 });
  return builder.build();
}

const FEATURES: Readonly<Record<string, () => unknown>> = {
  import() {
    new ModuleRegistry();
    new ModuleLoader();
    platformAllocator();
  },
  parseSmf: () => check(parseSmf(smallModule()).symbols.name(0), "nothing"),
  SmfBuilder: smallModule,
  linkObjects: () =>
    check(
      linkObjects([{ name: "a.o", bytes: functionObject("f", 0xc3) }]).bytes.length > 0,
      true,
    ),
  integrityOf: () => check(integrityOf(smallModule()).startsWith("sha256-"), true),
  loadBytes() {
    using registry = new ModuleRegistry();
    check(valueOf(registry.loadBytes("m", answering(1))), 1);
    check(valueOf(registry.reload("m", { bytes: answering(2) })), 2);
  },
  async cc() {
    const folder = path.replace(/[/\\][^/\\]*$/, "");
    using library = await cc({ text: "int value(void) { return 1; }" }, { folder });
    check(library.symbols.value(), 1);
  },
  async "cc, tcc"() {
    const folder = path.replace(/[/\\][^/\\]*$/, "");
    const symbols = { value: { parameters: [], result: "i32" } } as const;
    const text = "int value(void) { return 1; }";
    using library = await cc({ text }, { folder, compiler: "tcc", symbols });
    check(library.symbols.value(), 1);
  },
  async build() {
    const folder = path.replace(/[/\\][^/\\]*$/, "");
    Deno.writeTextFileSync(`${folder}/a.c`, "int value(void) { return 1; }");
    check((await build("a.c", { folder })).bytes.length > 0, true);
  },
  "loadBytes, fast"() {
    using registry = new ModuleRegistry({ callPath: "fast" });
    check(valueOf(registry.loadBytes("m", answering(1))), 1);
  },
  async "loadBytes, trust"() {
    const { privateKey, publicKey } = await makeKeys();
    const bytes = await signModule(answering(7), privateKey);
    using registry = new ModuleRegistry({ trust: { keys: [publicKey] } });
    using module = registry.loadBytes("m", bytes);
    check(valueOf(module), 7);
  },
  "loadBytes, integrity"() {
    using registry = new ModuleRegistry();
    const bytes = answering(1);
    check(valueOf(registry.loadBytes("m", bytes, { integrity: integrityOf(bytes, "sha512") })), 1);
  },
  load() {
    using registry = new ModuleRegistry();
    check(valueOf(registry.load(path)), 1);
    check(valueOf(registry.reload(path)), 1);
    check(registry.unload(path, { force: true }), true);
    using module = new ModuleLoader().load(path);
    check(valueOf(module), 1);
  },
  async loadAsync() {
    using registry = new ModuleRegistry();
    check(valueOf(await registry.loadAsync(path)), 1);
  },
  "cache"() {
    using registry = new ModuleRegistry({ cache: Deno.args[2] });
    check(valueOf(registry.load(path)), 1);
  },
  "load, integrity"() {
    using registry = new ModuleRegistry();
    registry.load(path, { integrity: integrityOf(answering(1)) });
  },
  open() {
    using registry = new ModuleRegistry();
    using live = registry.open(path, { value: ANSWER });
    check(live.symbols.value(), 1);
  },
  async watch() {
    using registry = new ModuleRegistry();
    registry.load(path);
    const events = registry.watch({ force: true });
    await events.return();
  },
  libraries() {
    using registry = new ModuleRegistry({ libraries: [library] });
    const isWindows = library.includes("kernel32");
    const bytes = version({ functions: { value: isWindows ? "GetCurrentProcessId" : "getpid" } });
    check(valueOf(registry.loadBytes("m", bytes)), Deno.pid);
  },
  async share() {
    await using registry = new ModuleRegistry();
    const token = structuredClone(registry.loadBytes("m", answering(1)).share());
    using attached = LoadedModule.attach(token);
    check(valueOf(attached), 1);
    const live = structuredClone(registry.open("m", { value: ANSWER }).share());
    using attachedLive = LiveLibrary.attach(live, { value: ANSWER });
    check(attachedLive.symbols.value(), 1);
  },
  async worker() {
    await using registry = new ModuleRegistry();
    const token = registry.loadBytes("m", answering(1)).share();
    const worker = new Worker(new URL("./permissions_worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: JSON.parse(path) },
    });
    const answer = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(token);
    });
    worker.terminate();
    check(answer, "1");
  },
};

try {
  await FEATURES[feature]();
  console.log("ok");
} catch (error) {
  console.log(error instanceof LoadError ? `${error.kind}: ${error.message}` : `not a LoadError: ${error}`);
}
