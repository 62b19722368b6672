// Uses that were made for an older version than the one that a reload replaces.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { LiveLibrary, ModuleRegistry } from "../../../mod.ts";
import { SymbolType } from "../../../src/smf/mod.ts";
import { ADD32, declaredVersion } from "../../support/declared_versions.ts";
import { importing } from "../../support/modules.ts";
import { assertLoadError } from "../../support/testing.ts";
import { version } from "../../support/versions.ts";

const INT = declaredVersion({ add32: "int" });
const LONG = declaredVersion({ add32: "long" });
const FLOAT = declaredVersion({ add32: "float" });
const NONE = declaredVersion({});

/** An importer of a variable, all of whose words that hold its address can be changed. */
function importingState(): Uint8Array<ArrayBuffer> {
  return version({
    functions: { own: 0 },
    data: { pointer: ["state"] },
    details: { state: { type: SymbolType.Data } },
  });
}

function refused(registry: ModuleRegistry, bytes: Uint8Array<ArrayBuffer>): string {
  return assertLoadError(() => registry.reload("m", { bytes }), "Incompatible").message;
}

Deno.test("a function that was absent in between is compared with what its binding was made for", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", INT);
  using live = registry.open("m", { add32: ADD32 });
  registry.reload("m", { bytes: NONE, compatibility: "allow" });
  assertStringIncludes(
    refused(registry, LONG),
    "'add32' was int add32(int p1, int p2), is long add32(int p1, int p2)",
  );
  assertEquals(live.symbols.add32(40, 2), 42);
  assertEquals(registry.versions("m").at(-1)?.version, 2);
  using module = registry.reload("m", { bytes: LONG, compatibility: "allow" });
  assertEquals(module.changedUses(), [
    { name: "add32", before: "int add32(int p1, int p2)", after: "long add32(int p1, int p2)" },
  ]);
});

Deno.test("a function that comes back as it was serves its binding again", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 0 });
  const first = registry.loadBytes("m", INT);
  using live = registry.open("m", { add32: ADD32 });
  registry.reload("m", { bytes: NONE, compatibility: "allow" }).close();
  assertEquals(first.holders(), ["its function 'add32', still in use"]);
  using module = registry.reload("m", { bytes: declaredVersion({ add32: "int" }) });
  assertEquals([module.changedUses(), first.holders()], [[], []]);
  assertEquals(live.symbols.add32(40, 2), 42);
  first.close();
});

Deno.test("a binding that is made while the name leads into an older version is made for that one", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", INT);
  const early = registry.open("m", { add32: ADD32 });
  registry.reload("m", { bytes: NONE, compatibility: "allow" });
  using late = registry.open("m", { add32: ADD32 });
  early[Symbol.dispose]();
  assertStringIncludes(refused(registry, LONG), "'add32' was int");
  assertEquals(late.symbols.add32(1, 2), 3);
});

Deno.test("importers of a function and of a variable that come back are compared as well", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", declaredVersion({ add32: "int", state: "ab" }));
  registry.loadBytes("user", importing("add32"));
  registry.loadBytes("reader", importingState());
  registry.reload("m", { bytes: NONE, compatibility: "allow" });
  const message = refused(registry, declaredVersion({ add32: "int", state: "xy" }));
  assertStringIncludes(message, "'state' was struct state state, is struct state state");
  assertStringIncludes(
    refused(registry, declaredVersion({ add32: "float", state: "ab" })),
    "'add32' was int",
  );
  const module = registry.reload("m", { bytes: declaredVersion({ add32: "int", state: "ab" }) });
  assertEquals(module.changedUses(), []);
});

Deno.test("a declaration that was let differ is not refused again, nor is the first one", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 3 });
  registry.loadBytes("m", INT);
  using live = registry.open("m", { add32: ADD32 });
  registry.reload("m", { bytes: LONG, compatibility: "allow" });
  using again = registry.reload("m", { bytes: declaredVersion({ add32: "long" }) });
  assertEquals(again.changedUses(), []);
  using back = registry.reload("m", { bytes: declaredVersion({ add32: "int" }) });
  assertEquals(back.changedUses(), []);
  assertStringIncludes(refused(registry, FLOAT), "'add32' was long");
  assertEquals(live.symbols.add32(1, 2), 3);
});

Deno.test("a rollback is compared with what each binding was made for", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 3 });
  registry.loadBytes("m", INT);
  using _first = registry.open("m", { add32: ADD32 });
  registry.reload("m", { bytes: LONG, compatibility: "allow" });
  const second = registry.open("m", { add32: { parameters: ["i32", "i32"], result: "i64" } });
  const error = assertLoadError(() => registry.rollback("m"), "Incompatible");
  assertStringIncludes(error.message, "'add32' was long add32(int p1, int p2), is int add32(int p1, int p2)");
  second[Symbol.dispose]();
  // The other binding was made for the version that comes back.
  using module = registry.rollback("m");
  assertEquals(module.changedUses(), []);
});

Deno.test("a rollback over a version without the name is compared as well", async () => {
  await using registry = new ModuleRegistry({ keepVersions: 3 });
  registry.loadBytes("m", LONG);
  registry.reload("m", { bytes: NONE });
  registry.reload("m", { bytes: INT });
  using live = registry.open("m", { add32: ADD32 });
  registry.rollback("m", { compatibility: "allow" });
  assertStringIncludes(
    assertLoadError(() => registry.rollback("m"), "Incompatible").message,
    "'add32' was int add32(int p1, int p2), is long add32(int p1, int p2)",
  );
  assertEquals(live.symbols.add32(1, 2), 3);
});

Deno.test("a binding that is closed is compared no longer", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", INT);
  registry.open("m", { add32: ADD32 })[Symbol.dispose]();
  registry.reload("m", { bytes: LONG });
  const user = registry.loadBytes("user", importing("add32"));
  assertStringIncludes(refused(registry, INT), "'add32' was long");
  user.close();
  registry.reload("m", { bytes: declaredVersion({ add32: "int" }) });
});

Deno.test("an importer that is linked to the candidate is made for its declarations", async () => {
  await using registry = new ModuleRegistry();
  using folder = new Folder();
  const [provider, user] = [folder.write("m", INT), folder.write("user", version({ functions: { own: 0 } }))];
  registry.loadAll([provider, user]);
  folder.write("m", LONG);
  folder.write("user", importing("add32"));
  registry.reloadAll([provider, user]);
  folder.write("m", FLOAT);
  assertStringIncludes(
    assertLoadError(() => registry.reload(provider), "Incompatible").message,
    "'add32' was long add32(int p1, int p2), is float add32(int p1, int p2)",
  );
});

Deno.test("a token does not bind a name that was declared in another way since", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", INT);
  using live = registry.open("m", { nothing: { parameters: [], result: "void" } });
  const token = structuredClone(live.share());
  registry.reload("m", { bytes: LONG });
  assertStringIncludes(
    assertLoadError(() => LiveLibrary.attach(token, { add32: ADD32 }), "UndefinedSymbol").message,
    "the module was reloaded, and no longer exports the name as it was",
  );
  const definitions = { add32: { parameters: ["i32", "i32"], result: "i64" } } as const;
  const attached = LiveLibrary.attach(structuredClone(live.share()), definitions);
  // From now on the name is in use there.
  assertStringIncludes(refused(registry, declaredVersion({ add32: "int" })), "'add32' was long");
  await attached[Symbol.asyncDispose]();
});

/** A temporary folder of modules. */
class Folder implements Disposable {
  readonly #path = Deno.makeTempDirSync();

  write(name: string, bytes: Uint8Array): string {
    const path = `${this.#path}/${name}.smf`;
    Deno.writeFileSync(`${path}.new`, bytes);
    Deno.renameSync(`${path}.new`, path);
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#path, { recursive: true });
  }
}
