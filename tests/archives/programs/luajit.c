#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

/* A loop that is compiled, a coroutine, an error that is caught, and bit operations. */
static const char script[] =
    "local sum = 0 for i = 1, 1000000 do sum = sum + i % 7 end\n"
    "local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)\n"
    "local squares = co() + co() + co()\n"
    "local ok, message = pcall(error, { code = 5 })\n"
    "assert(jit.status())\n"
    "return sum == 2999998 and squares == 14 and not ok and message.code == 5\n"
    "  and require('bit').bxor(0xff, 0x0f) == 0xf0 and string.rep('ab', 3) == 'ababab'\n";

int check(void) {
  lua_State *L = luaL_newstate();
  if (!L) return 1;
  luaL_openlibs(L);
  int failed = luaL_dostring(L, script);
  int good = !failed && lua_toboolean(L, -1);
  lua_close(L);
  return good ? 42 : 2 + failed;
}
