import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  LiveLibrary,
  type LiveToken,
  LoadedModule,
  ModuleLoader,
  ModuleRegistry,
  type ModuleToken,
} from "../../../mod.ts";
import { runChild } from "../../support/modules.ts";
import { assertLoadError, checkLoadError } from "../../support/testing.ts";
import { INT, version } from "../../support/versions.ts";

const BYTES = version({ functions: { answer: 4, other: 5 }, data: { total: [1n] } });
const LIVE = { answer: INT } as const;

Deno.test("a token survives structured cloning", async () => {
  await using module = new ModuleLoader().loadBytes(BYTES);
  using attached = LoadedModule.attach(structuredClone(structuredClone(module.share())));
  assertEquals(attached.getFunction("answer", INT)!(), 4);
  assertEquals(
    [attached.path, attached.version, attached.exports(), attached.imports(), attached.header],
    [module.path, module.version, module.exports(), module.imports(), module.header],
  );
  assertEquals(attached.codeMemory, module.codeMemory);
});

Deno.test("sharing twice gives the same token", async () => {
  await using module = new ModuleLoader().loadBytes(BYTES);
  assertEquals(module.share(), module.share());
});

Deno.test("a value that is not a token is refused", () => {
  for (
    const token of [undefined, null, 1, "token", {}, [], { kind: "@simple/loader module" }, {
      kind: "@simple/loader module",
      control: new SharedArrayBuffer(4),
      module: {},
      seal: 0n,
    }]
  ) {
    assertLoadError(() => LoadedModule.attach(token as ModuleToken), "InvalidToken");
    assertLoadError(() => LiveLibrary.attach(token as LiveToken, {}), "InvalidToken");
  }
});

/** Yields every leaf of a value of objects and arrays, as a path of keys. */
function* leaves(value: unknown, path: readonly string[] = []): Iterable<readonly string[]> {
  if (value instanceof Uint8Array) {
    yield [...path, "0"];
    yield [...path, String(value.length - 1)];
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) yield* leaves(inner, [...path, key]);
  } else {
    yield path;
  }
}

/** A copy that differs in one leaf. */
function changed(token: unknown, path: readonly string[]): unknown {
  const copy = structuredClone(token);
  let at = copy as Record<string, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  const last = path.at(-1)!;
  const old = at[last];
  if (typeof old === "bigint") at[last] = old ^ 1n;
  else if (typeof old === "number") at[last] = old ^ 1;
  else if (typeof old === "boolean") at[last] = !old;
  else at[last] = `${old}x`;
  return copy;
}

Deno.test("a module's token that differs anywhere is refused", async () => {
  await using registry = new ModuleRegistry({ imports: { given: 1n } });
  const module = registry.loadBytes("m", version({ functions: { f: 1 }, data: { p: ["given"] } }));
  const token = module.share();
  const { control: _control, ...rest } = token;
  const all = [...leaves(rest)];
  assert(all.length > 60, `${all.length} leaves`);
  for (const path of all) {
    const forged = changed(token, path) as ModuleToken;
    assertLoadError(() => LoadedModule.attach(forged), "InvalidToken");
  }
  assertEquals(module.holders(), []);
});

Deno.test("a live token that differs anywhere is refused", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", BYTES);
  const token = registry.open("m", LIVE).share();
  const { control: _control, ...rest } = token;
  for (const path of leaves(rest)) {
    assertLoadError(() => LiveLibrary.attach(changed(token, path) as LiveToken, LIVE), "InvalidToken");
  }
});

Deno.test("a token with another module's control block is refused", async () => {
  await using first = new ModuleLoader().loadBytes(BYTES);
  await using second = new ModuleLoader().loadBytes(BYTES);
  const forged = { ...first.share(), control: second.share().control };
  assertLoadError(() => LoadedModule.attach(forged), "InvalidToken");
  assertEquals(second.holders(), []);
});

Deno.test("the two kinds of tokens are told apart", async () => {
  await using registry = new ModuleRegistry();
  const module = registry.loadBytes("m", BYTES);
  const live = registry.open("m", LIVE).share();
  const pinned = module.share();
  assertLoadError(() => LoadedModule.attach(live as unknown as ModuleToken), "InvalidToken");
  assertLoadError(() => LiveLibrary.attach(pinned as unknown as LiveToken, LIVE), "InvalidToken");
  const disguised = { ...live, kind: pinned.kind };
  assertLoadError(() => LoadedModule.attach({ ...disguised, module: live.module, seal: 5n }), "InvalidToken");
  // The seal of a live token is valid for its own kind only.
  const error = assertThrows(() => LoadedModule.attach(disguised));
  checkLoadError(error, "InvalidToken");
});

Deno.test("a token of another process is refused", async () => {
  const child = await runChild(new URL("./token_child.ts", import.meta.url));
  assertEquals(child.code, 0, child.stderr);
  const token = JSON.parse(child.stdout, (_, value) => {
    if (typeof value === "string" && /^-?\d+n$/.test(value)) return BigInt(value.slice(0, -1));
    if (Array.isArray(value?.bytes) && Object.keys(value).length === 1) return new Uint8Array(value.bytes);
    return value;
  });
  await using module = new ModuleLoader().loadBytes(BYTES);
  const error = assertLoadError(
    () => LoadedModule.attach({ ...token, control: module.share().control }),
    "InvalidToken",
  );
  assert(error.message.includes("another process"), error.message);
});
