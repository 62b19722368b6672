import { assert, assertEquals } from "@std/assert";
import { openDynamicLinker } from "../../src/os/dynamic_linker.ts";

const KNOWN = {
  linux: ["libm.so.6", "cos"],
  windows: ["kernel32.dll", "GetTickCount"],
  darwin: ["libSystem.B.dylib", "cos"],
}[Deno.build.os as string] ?? ["libm.so", "cos"];

Deno.test("names in a library have addresses, other names have none", () => {
  const linker = openDynamicLinker();
  const [file, name] = KNOWN;
  const library = linker.open(file);
  assert(library !== null);
  assert(linker.find(library, name) > 0n);
  assertEquals(linker.find(library, "no_such_name"), 0n);
  linker.close(library);
  linker[Symbol.dispose]();
});

Deno.test("a missing library is null", () => {
  const linker = openDynamicLinker();
  assertEquals(linker.open("no-such-library"), null);
  linker[Symbol.dispose]();
});

Deno.test("an open library outlives the linker that opened it", () => {
  const [file, name] = KNOWN;
  const first = openDynamicLinker();
  const library = first.open(file);
  assert(library !== null);
  first[Symbol.dispose]();
  const second = openDynamicLinker();
  assert(second.find(library, name) > 0n);
  second.close(library);
  second[Symbol.dispose]();
});
