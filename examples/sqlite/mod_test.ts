import { assert, assertEquals, assertThrows } from "@std/assert";
import { Database, SqliteError, type Value } from "./mod.ts";

Deno.test("values come back as they went in", () => {
  using database = new Database();
  using echo = database.prepare<[Value], { value: Value; type: string }>(
    "SELECT ?1 AS value, typeof(?1) AS type",
  );
  const cases: readonly (readonly [value: Value, type: string])[] = [
    [null, "null"],
    [0, "integer"],
    [-7, "integer"],
    [Number.MAX_SAFE_INTEGER, "integer"],
    [2n ** 63n - 1n, "integer"],
    [-(2n ** 63n), "integer"],
    [0.5, "real"],
    [-0, "real"],
    [1e300, "real"],
    [Infinity, "real"],
    ["", "text"],
    ["gr\u00fc\u00df dich, \u{1f600}", "text"],
    ["a\0b", "text"],
    [new Uint8Array(0), "blob"],
    [new Uint8Array([0, 1, 255]), "blob"],
  ];
  for (const [value, type] of cases) assertEquals(echo.get(value), { value, type });
  // Integers are numbers where they can be.
  assertEquals(echo.get(5n)?.value, 5);
  // SQLite has no NaN.
  assertEquals(echo.get(NaN)?.value, null);
});

Deno.test("values that SQLite does not have are refused, and the statement goes on", () => {
  using database = new Database();
  using echo = database.prepare("SELECT ? AS value");
  assertThrows(() => echo.get(2n ** 63n), RangeError, "more than 64 bits");
  assertThrows(() => echo.get(true as unknown as Value), TypeError, "boolean is not a type of SQLite");
  assertThrows(() => echo.get(undefined as unknown as Value), TypeError, "undefined is not");
  assertThrows(() => echo.get(), TypeError, "it takes 1 parameters, not 0");
  assertThrows(() => echo.get(1, 2), TypeError, "it takes 1 parameters, not 2");
  assertEquals(echo.all(1), [{ value: 1 }]);
});

Deno.test("run says what was changed", () => {
  using database = new Database();
  database.exec("CREATE TABLE t (x)");
  using insert = database.prepare<[number]>("INSERT INTO t VALUES (?)");
  assertEquals(insert.run(10), { changes: 1, lastInsertRowid: 1 });
  assertEquals(insert.run(20), { changes: 1, lastInsertRowid: 2 });
  using double = database.prepare<[]>("UPDATE t SET x = 2 * x");
  assertEquals(double.run().changes, 2);
  using all = database.prepare<[], { x: number }>("SELECT x FROM t ORDER BY x");
  assertEquals(all.all().map(({ x }) => x), [20, 40]);
});

Deno.test("rows are read as far as somebody asks for them", () => {
  using database = new Database();
  using count = database.prepare<[number], { n: number }>(
    "WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n % ? = 0",
  );
  const seen: number[] = [];
  // The statement itself has no end.
  for (const { n } of count.rows(3)) {
    seen.push(n);
    if (seen.length === 4) break;
    assertThrows(() => count.get(1), TypeError, "its rows are still being read");
  }
  assertEquals(seen, [3, 6, 9, 12]);
  assertEquals(count.get(5), { n: 5 });
});

Deno.test("errors are exceptions with SQLite's message, code and statement", () => {
  using database = new Database();
  database.exec("CREATE TABLE t (x UNIQUE)");
  const missing = assertThrows(() => database.prepare("SELECT y FROM t"), SqliteError, "no such column: y");
  assertEquals([missing.code, missing.sql], [1, "SELECT y FROM t"]);
  using insert = database.prepare<[number]>("INSERT INTO t VALUES (?)");
  insert.run(1);
  const unique = assertThrows(() => insert.run(1), SqliteError, "UNIQUE constraint failed: t.x");
  assertEquals([unique.code, unique.code & 0xff], [2067, 19]);
  assertEquals(insert.run(2).changes, 1);
  assertThrows(() => database.exec("nonsense"), SqliteError, 'near "nonsense": syntax error');
  assertThrows(() => new Database("/no/such/folder/a.db"), SqliteError, "unable to open database file");
});

Deno.test("a statement is exactly one", () => {
  using database = new Database();
  for (const sql of ["", "  -- nothing", "SELECT 1; SELECT 2"]) {
    assertThrows(() => database.prepare(sql), TypeError, "not exactly one");
  }
  assertEquals(database.prepare("SELECT 1 AS one;\n").get(), { one: 1 });
});

Deno.test("a transaction is undone if it throws, and so is one in another", () => {
  using database = new Database();
  database.exec("CREATE TABLE t (x)");
  using insert = database.prepare<[number]>("INSERT INTO t VALUES (?)");
  const rows = () => database.prepare("SELECT group_concat(x) AS x FROM t").get()?.x;
  database.transaction(() => {
    insert.run(1);
    assertThrows(
      () =>
        database.transaction(() => {
          insert.run(2);
          throw new Error("no");
        }),
      Error,
      "no",
    );
    insert.run(3);
  });
  assertEquals(rows(), "1,3");
  assertThrows(() =>
    database.transaction(() => {
      insert.run(4);
      database.exec("nonsense");
    }), SqliteError);
  assertEquals(rows(), "1,3");
});

Deno.test("nothing is used after its end", () => {
  const database = new Database();
  const one = database.prepare("SELECT 1 AS one");
  const rows = database.prepare("VALUES (1), (2)").rows();
  rows.next();
  database.close();
  database.close();
  one[Symbol.dispose]();
  assertThrows(() => one.get(), TypeError, "it is closed");
  assertThrows(() => rows.next(), TypeError, "it is closed");
  assertThrows(() => database.exec("SELECT 1"), TypeError, "it is closed");
  assertThrows(() => database.prepare("SELECT 1"), TypeError, "it is closed");
});

Deno.test("a database in a file is there the next time", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/notes.db`;
  try {
    assertThrows(() => new Database(path, "write"), SqliteError, "unable to open");
    {
      using database = new Database(path);
      database.exec("CREATE TABLE note (text); INSERT INTO note VALUES ('milk')");
    }
    using database = new Database(path, "read");
    assertEquals(database.prepare("SELECT text FROM note").all(), [{ text: "milk" }]);
    assertThrows(() => database.exec("DELETE FROM note"), SqliteError, "readonly database");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("functions of the mathematics library and full-text search are there", () => {
  using database = new Database();
  const { x } = database.prepare<[], { x: number }>("SELECT sin(1) AS x").get()!;
  assert(Math.abs(x - Math.sin(1)) < 1e-15);
  database.exec("CREATE VIRTUAL TABLE doc USING fts5 (text); INSERT INTO doc VALUES ('one two'), ('three')");
  const found = database.prepare<[string], { text: string }>("SELECT text FROM doc WHERE doc MATCH ?");
  assertEquals(found.all("two").map(({ text }) => text), ["one two"]);
});
