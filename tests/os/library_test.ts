import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LoadError } from "../../src/errors/load_error.ts";
import { HeldLibrary, openLibrary, permitted } from "../../src/os/library.ts";

Deno.test("a missing library is named in the error, whose cause is the system's own", () => {
  const error = assertThrows(() => openLibrary(["no-such-library.so.9", "nor-this"], {}), LoadError);
  assertEquals(error.kind, "Unsupported");
  assertStringIncludes(error.message, "Cannot open the system library no-such-library.so.9");
  assertInstanceOf(error.cause, Error);
  assertEquals(error.hint, "install no-such-library.so.9 or nor-this, or run on a system that has it");
});

Deno.test("a missing permission names the flag; other errors pass through", () => {
  const denied = () =>
    permitted(() => {
      throw new Deno.errors.NotCapable("no");
    });
  const error = assertThrows(denied, LoadError, "--allow-ffi");
  assertEquals(error.kind, "PermissionDenied");
  assertEquals(error.hint, "run with --allow-ffi (code that is loaded can do whatever this process can)");
  const broken = () =>
    permitted(() => {
      throw new SyntaxError("x");
    });
  assertThrows(broken, SyntaxError, "x");
  assertEquals(permitted(() => 3), 3);
});

Deno.test("without --allow-ffi, importing works and allocating names the missing permission", async () => {
  const module = new URL("../../src/os/memory/allocator.ts", import.meta.url).href;
  const program = `
    const { platformAllocator } = await import(${JSON.stringify(module)});
    const allocator = platformAllocator();
    try { allocator.allocate(1, 1); } catch (error) { console.log(error.kind, error.message); }
  `;
  const root = fromFileUrl(new URL("../..", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assertStringIncludes(
    text.decode(stdout),
    "PermissionDenied Cannot use executable memory",
    text.decode(stderr),
  );
});

Deno.test("a held library is open until its last holder closes it", () => {
  const { name, definitions } = Deno.build.os === "windows"
    ? {
      name: "kernel32.dll",
      definitions: { GetCurrentProcessId: { parameters: [], result: "u32" } } as const,
    }
    : {
      name: Deno.build.os === "darwin" ? "libSystem.B.dylib" : "libc.so.6",
      definitions: { getpid: { parameters: [], result: "u32" } } as const,
    };
  const library = new HeldLibrary<Record<string, Deno.ForeignFunction<readonly [], "u32">>>(
    name,
    definitions,
  );
  for (let round = 0; round < 2; round++) {
    const [first, second] = [library.hold(), library.hold()];
    assert(first.symbols === second.symbols);
    first.close();
    for (const id of Object.values(second.symbols)) assertEquals(id(), Deno.pid);
    // The check for leaks sees whether it was closed.
    second.close();
  }
});
