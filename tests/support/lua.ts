// Lua's functions, scripts that go through the language, and a way to run them.

/** The functions that running scripts takes. */
export const LUA = {
  luaL_newstate: { parameters: [], result: "pointer" },
  luaL_openlibs: { parameters: ["pointer"], result: "void" },
  luaL_loadstring: { parameters: ["pointer", "buffer"], result: "i32" },
  lua_pcallk: { parameters: ["pointer", "i32", "i32", "i32", "isize", "pointer"], result: "i32" },
  lua_tolstring: { parameters: ["pointer", "i32", "pointer"], result: "pointer" },
  lua_tonumberx: { parameters: ["pointer", "i32", "pointer"], result: "f64" },
  lua_pushnumber: { parameters: ["pointer", "f64"], result: "void" },
  lua_pushcclosure: { parameters: ["pointer", "function", "i32"], result: "void" },
  lua_setglobal: { parameters: ["pointer", "buffer"], result: "void" },
  lua_settop: { parameters: ["pointer", "i32"], result: "void" },
  lua_close: { parameters: ["pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Lua, from wherever it comes. */
export type Lua = Deno.StaticForeignLibraryInterface<typeof LUA>;

/** A text as C has it. */
export const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(`${text}\0`);

/** Scripts that together go through the whole of the language; each answers a text. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  closures: `
    local function counter()
      local n = 0
      return function(by) n = n + (by or 1) return n end
    end
    local a, b = counter(), counter()
    a() a(10) b(5)
    return a() .. "," .. b()`,
  strings: `
    local words = {}
    for word in ("the quick brown fox"):gmatch("%a+") do words[#words + 1] = word:upper():reverse() end
    return table.concat(words, " ") .. string.format("|%5.2f|%-6s|%x|%q|%g", math.pi, "ab", 255, "a\\nb", 1e100)
      .. ("x = 1, y = 2"):gsub("(%w+) = (%w+)", "%2 = %1") .. utf8.char(228, 8364) .. #string.pack("<i4d", 7, 0.5)`,
  coroutines: `
    local log = {}
    local co = coroutine.create(function(a, b)
      log[#log + 1] = a + b
      local c = coroutine.yield(a * b)
      log[#log + 1] = c
      local d, e = coroutine.yield(c .. "!")
      error({ code = d + e })
    end)
    local results = {}
    for _, arguments in ipairs({ { 3, 4 }, { "mid" }, { 20, 22 }, {} }) do
      local ok, value = coroutine.resume(co, table.unpack(arguments))
      results[#results + 1] = tostring(ok) .. ":" .. (type(value) == "table" and value.code or tostring(value))
    end
    return table.concat(results, " ") .. " " .. table.concat(log, ",") .. " " .. coroutine.status(co)`,
  errors: `
    local function deep(n) if n == 0 then error("bottom", 2) end return deep(n - 1) + 1 end
    local ok1, e1 = pcall(deep, 100)
    local ok2, e2 = xpcall(function() local t = nil; return t.x end, function(m) return "handled: " .. m end)
    local ok3, e3 = pcall(string.rep, "x", -1)
    local ok4, e4 = pcall(function() local function f() return f() + 1 end return f() end)
    return table.concat({ tostring(ok1), e1, tostring(ok2), e2, tostring(ok3), tostring(ok4), e4:match("stack overflow") }, "|")`,
  metatables: `
    local V = {}
    V.__index = V
    V.__add = function(a, b) return setmetatable({ x = a.x + b.x }, V) end
    V.__eq = function(a, b) return a.x == b.x end
    V.__tostring = function(v) return "V(" .. v.x .. ")" end
    V.__close = function(v) closed = (closed or "") .. v.x end
    local function vec(x) return setmetatable({ x = x }, V) end
    do local a <close> = vec(1); local b <close> = vec(2) end
    return tostring(vec(1) + vec(2)) .. tostring(vec(3) == vec(1) + vec(2)) .. closed`,
  mathematics: `
    local parts = {}
    for i = 1, 20 do parts[i] = string.format("%.14g", math.sin(i) * math.exp(i / 7) + math.log(i) ^ math.sqrt(i)) end
    return table.concat(parts, " ") .. math.tointeger(3.0) .. 7 // 2 .. -7 % 3 .. 1 // 0.0 .. (2 ^ 53 | 0) .. math.fmod(7, 3)`,
  garbage: `
    local weak = setmetatable({}, { __mode = "k" })
    for i = 1, 20000 do weak[{}] = ("garbage"):rep(i % 50) end
    collectgarbage()
    local n = 0
    for _ in pairs(weak) do n = n + 1 end
    return n .. (collectgarbage("count") < 4000 and " small" or " large")`,
  chunks: `
    local f = load("local a, b = ... return a * b", "chunk")
    local g = load(string.dump(f), "binary", "b")
    local bad, message = load("return +", "broken")
    return g(6, 7) .. " " .. message`,
  sorting: `
    local t = {}
    local seed = 42
    for i = 1, 2000 do seed = (seed * 1103515245 + 12345) % 2147483648; t[i] = seed end
    table.sort(t, function(a, b) return a > b end)
    for i = 2, #t do assert(t[i - 1] >= t[i]) end
    return t[1] .. " " .. t[1000] .. " " .. t[2000] .. tostring(select(2, pcall(table.sort, { 1, "x", 2 })))`,
};

/** Returns a script's answer, or its error. */
export function run(lua: Lua, script: string): string {
  const state = lua.luaL_newstate();
  try {
    lua.luaL_openlibs(state);
    const status = lua.luaL_loadstring(state, encode(script)) || lua.lua_pcallk(state, 0, 1, 0, 0n, null);
    const text = lua.lua_tolstring(state, -1, null);
    return `${status} ${text === null ? "nothing" : Deno.UnsafePointerView.getCString(text)}`;
  } finally {
    lua.lua_close(state);
  }
}
