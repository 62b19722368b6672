// Lua from Debian's static library, against the same package's shared library.
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { encode, LUA, type Lua, run, SCRIPTS } from "../support/lua.ts";
import { testWith } from "../support/real_archives.ts";

/** Runs `work` with Lua from a module and from the shared library. */
function withBoth(archive: Uint8Array, work: (module: Lua, shared: Lua) => void): void {
  const { bytes } = linkObjects([{ name: "liblua5.4.a", bytes: archive }], {
    exports: Object.keys(LUA),
  });
  using registry = new ModuleRegistry({ libraries: ["libc.so.6", "libm.so.6"] });
  using module = registry.loadBytes("lua", bytes);
  const shared = Deno.dlopen("liblua5.4.so.0", LUA);
  try {
    work(module.bind(LUA).symbols as unknown as Lua, shared.symbols);
  } finally {
    shared.close();
  }
}

testWith(
  "Lua: scripts answer what they answer in the shared library",
  "liblua5.4.a",
  "liblua5.4-dev",
  (archive) =>
    withBoth(archive, (module, shared) => {
      for (const [name, script] of Object.entries(SCRIPTS)) {
        const ours = run(module, script);
        assert(ours.startsWith("0 "), `${name}: ${ours}`);
        assertEquals(ours, run(shared, script), name);
      }
    }),
);

testWith(
  "Lua: errors come back through longjmp, a thousand times",
  "liblua5.4.a",
  "liblua5.4-dev",
  (archive) =>
    withBoth(archive, (module) => {
      const script = `
      local caught = 0
      for i = 1, 1000 do
        local ok, e = pcall(function() error("e" .. i, 0) end)
        if not ok and e == "e" .. i then caught = caught + 1 end
      end
      return caught`;
      assertEquals(run(module, script), "0 1000");
      assertEquals(
        run(module, "syntax error here"),
        `3 [string "syntax error here"]:1: syntax error near 'error'`,
      );
      assertEquals(run(module, "error('thrown')").split(": ").at(-1), "thrown");
    }),
);

testWith(
  "Lua: a JavaScript function is called by a script, and calls Lua itself",
  "liblua5.4.a",
  "liblua5.4-dev",
  (archive) =>
    withBoth(archive, (lua) => {
      const state = lua.luaL_newstate();
      const add = new Deno.UnsafeCallback({ parameters: ["pointer"], result: "i32" }, (inner) => {
        lua.lua_pushnumber(inner, lua.lua_tonumberx(inner, 1, null) + lua.lua_tonumberx(inner, 2, null));
        return 1;
      });
      try {
        lua.luaL_openlibs(state);
        lua.lua_pushcclosure(state, add.pointer, 0);
        lua.lua_setglobal(state, encode("add"));
        assertEquals(
          lua.luaL_loadstring(state, encode("local s = 0 for i = 1, 100 do s = add(s, i) end return s")),
          0,
        );
        assertEquals(lua.lua_pcallk(state, 0, 1, 0, 0n, null), 0);
        assertEquals(lua.lua_tonumberx(state, -1, null), 5050);
        lua.lua_settop(state, 0);
      } finally {
        lua.lua_close(state);
        add.close();
      }
    }),
);
