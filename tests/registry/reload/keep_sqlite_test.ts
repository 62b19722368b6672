// SQLite, with an open database in memory, is reloaded between the steps of one query.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../../src/link/linker.ts";
import { ModuleRegistry } from "../../../mod.ts";
import { compile, hasCommand, testWithCompilers } from "../../support/compilers.ts";

/** The source of SQLite; undefined where the registry of npm is out of reach. */
async function sqlite(folder: string): Promise<string | undefined> {
  if (!hasCommand("npm")) return undefined;
  try {
    const name = (await compile("npm", ["pack", "--silent", "better-sqlite3"], folder)).trim();
    await compile("tar", ["xf", name, "package/deps/sqlite3"], folder);
  } catch {
    return undefined;
  }
  return `${folder}/package/deps/sqlite3/sqlite3.c`;
}

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

testWithCompilers(["gcc"], "SQLite is reloaded 20 times between two steps of one query", async (folder) => {
  const source = await sqlite(folder);
  if (source === undefined) return void console.log("SKIPPED: SQLite's source cannot be fetched");
  const flags = ["-O1", "-fPIC", "-fdata-sections", "-ffunction-sections", "-DSQLITE_THREADSAFE=1", "-c"];
  await compile("gcc", [...flags, source, "-o", "sqlite3.o"], folder);
  const library = { name: "sqlite3.o", bytes: Deno.readFileSync(`${folder}/sqlite3.o`) };
  const make = async (version: number): Promise<Uint8Array> => {
    Deno.writeTextFileSync(`${folder}/query.c`, QUERY(version));
    const include = source.replace(/\/[^/]*$/, "");
    await compile("gcc", [...flags, "-g", `-I${include}`, "query.c", "-o", "query.o"], folder);
    const query = { name: "query.o", bytes: Deno.readFileSync(`${folder}/query.o`) };
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
    // Tables that are only read, but not declared as constants, have addresses: these start with each version.
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
});
