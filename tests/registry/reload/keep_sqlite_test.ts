// SQLite, with an open database in memory, is reloaded between the steps of one query.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../../src/link/linker.ts";
import { ModuleRegistry } from "../../../mod.ts";
import { compile, hasCommand } from "../../support/compilers.ts";
import { isolated } from "../../support/isolated.ts";
import { canRun, staticLibrary } from "../../support/real_archives.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const QUERY = (version: number) => `
  #include "sqlite3.h"
  static sqlite3 *database;
  static sqlite3_stmt *query;
  int begin(void) {
    if (sqlite3_open(":memory:", &database)) return 1;
    if (sqlite3_exec(database, "create table t(a int, b text)", 0, 0, 0)) return 2;
    if (sqlite3_exec(database,
          "with recursive n(x) as (select 1 union all select x + 1 from n where x < 1000) "
          "insert into t select x, 'text ' || x from n", 0, 0, 0)) return 3;
    return sqlite3_prepare_v2(database, "select a, b from t where a % 2 order by b, a", -1, &query, 0);
  }
  int step(void) { return sqlite3_step(query) == SQLITE_ROW ? sqlite3_column_int(query, 0) : -1; }
  int change(void) { return sqlite3_exec(database, "insert into t values (${version}, 'x')", 0, 0, 0); }
  int version(void) { return ${version}; }
  int end(void) { return sqlite3_finalize(query) || sqlite3_close(database); }`;

/** Debian's, which is compiled without a section for each variable. */
const archive = canRun && hasCommand("gcc") ? staticLibrary("libsqlite3.a") : undefined;
const NAME = "SQLite is reloaded 20 times between two steps of one query";

Deno.test({
  name: archive === undefined
    ? `${NAME} (SKIPPED: needs gcc and libsqlite3.a, Debian's libsqlite3-dev, on Linux x86-64)`
    : NAME,
  ignore: archive === undefined,
  fn: isolated(async () => {
    using folder = new TemporaryDirectory();
    const library = { name: "libsqlite3.a", bytes: archive! };
    const make = async (version: number): Promise<Uint8Array> => {
      folder.file("query.c", new TextEncoder().encode(QUERY(version)));
      await compile("gcc", ["-O1", "-g", "-fPIC", "-c", "query.c", "-o", "query.o"], folder.path);
      const query = { name: "query.o", bytes: Deno.readFileSync(`${folder.path}/query.o`) };
      return linkObjects([query, library], { reloadable: true }).bytes;
    };
    using registry = new ModuleRegistry({ libraries: ["libm.so.6"] });
    registry.loadBytes("sqlite", await make(1));
    const INT = { parameters: [], result: "i32" } as const;
    const live = registry.open("sqlite", { begin: INT, step: INT, change: INT, version: INT, end: INT });
    const { symbols } = live;
    assertEquals(symbols.begin(), 0);
    const found = [symbols.step()];
    for (let version = 2; version <= 21; version++) {
      const module = registry.reload("sqlite", { bytes: await make(version), state: "keep" });
      assertEquals(module.carried!.fresh, []);
      module.close();
      assertEquals(symbols.version(), version);
      found.push(symbols.step());
    }
    for (let row = symbols.step(); row !== -1; row = symbols.step()) found.push(row);
    const odd = Array.from({ length: 500 }, (_, index) => 2 * index + 1);
    const byText = odd.toSorted((a, b) => `text ${a}` < `text ${b}` ? -1 : 1);
    assertEquals(found, byText);
    assertEquals([symbols.change(), symbols.end()], [0, 0]);
    live.close();
  }),
});
