import { assert, assertEquals } from "@std/assert";
import {
  baseName,
  functionName,
  guardedName,
  isArrayDestructor,
  isCompilerMade,
  isNumbered,
  isOwnBaseName,
} from "../../src/image/symbol_names.ts";
import { randomFrom } from "../support/testing.ts";

Deno.test("a base name is the name without what the compiler counts", () => {
  const names: Record<string, string> = {
    n: "n",
    "n.0": "n",
    "n.12": "n",
    "f.n": "f.n",
    "f.n.1": "f.n",
    "n.0.lto_priv.3": "n",
    level2: "level2",
    v1_0: "v1_0",
    _ZZ1fvE1n: "_ZZ1fvE1n",
    _ZZ1fvE1n_0: "_ZZ1fvE1n",
    _ZZ1fvE1n__10_: "_ZZ1fvE1n",
    _ZGVZ1fvE1n_0: "_ZGVZ1fvE1n",
    _ZZ1fvENKUlvE_clEvE1n: "_ZZ1fvENKUlvE_clEvE1n",
    _ZZ1fvENKUlvE0_clEvE1n: "_ZZ1fvENKUlvE_clEvE1n",
    _ZZ1fvENKUliE12_clEiE1n: "_ZZ1fvENKUliE_clEiE1n",
    _ZL3one: "_ZL3one",
    state__anon_123: "state__anon_",
  };
  for (const [name, base] of Object.entries(names)) assertEquals(baseName(name), base, name);
  assertEquals(["n", "n.0", "n2", "f.n.1", "_ZZ1fvE1n_0"].filter(isNumbered), ["n.0", "f.n.1"]);
});

Deno.test("parts and clones of a function have its name", () => {
  const names = ["f", "f.part.0", "f.constprop.0.isra.1", "f.cold"];
  assertEquals(names.map(functionName), ["f", "f", "f", "f"]);
});

Deno.test("names that compilers make are known", () => {
  assertEquals(guardedName("_ZGVZ1fvE1n"), "_ZZ1fvE1n");
  assertEquals(guardedName("_ZZ1fvE1n"), undefined);
  const made = [
    "DW.ref.__gxx_personality_v0",
    "_ZTV1A",
    "_ZTI1A",
    "_ZTS1A",
    "_ZZ1fvE1n",
    "_ZGVZ1fvE1n",
    "DW",
  ];
  assertEquals(made.map(isCompilerMade), [true, true, true, true, false, false, false]);
  const destroyers = ["__tcf_0", "__cxx_global_array_dtor.3", "_GLOBAL__sub_D_a", "_GLOBAL__D_a", "report"];
  assertEquals(destroyers.map(isArrayDestructor), [true, true, true, true, false]);
});

Deno.test("the bytes of a name tell that it is its own base name, and never of another", () => {
  const encoder = new TextEncoder(), next = randomFrom(5);
  const parts = [
    "_Z",
    "_ZZ",
    "_ZGVZ",
    "E",
    "n",
    "Ul",
    "Ut",
    "v",
    "0",
    "12",
    "_",
    "__anon_",
    ".",
    "lto_priv",
    "@a.c",
    "G",
    "V",
  ];
  let own = 0, others = 0;
  for (let round = 0; round < 100_000; round++) {
    const name = Array.from({ length: 1 + next() % 7 }, () => parts[next() % parts.length]).join("");
    const isOwn = isOwnBaseName(encoder.encode(`.x${name}\0.1`), 2);
    if (isOwn) assertEquals(baseName(name), name);
    if (isOwn) own++;
    else if (baseName(name) !== name) others++;
  }
  assert(own > 10_000 && others > 1000, `${own} ${others}`);
  for (
    const name of [
      "f",
      "level2",
      "_ZN3foo3barERKS_",
      "_ZNSt6vectorIiE4sizeEv",
      "größe",
      "f.part",
      "f_abs",
      "",
    ]
  ) {
    assert(isOwnBaseName(encoder.encode(`${name}\0`), 0), name);
  }
});
