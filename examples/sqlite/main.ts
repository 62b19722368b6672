/**
 * Keeps notes in SQLite: typed rows, prepared statements, a transaction, an error.
 *
 *     deno run --allow-ffi --allow-read examples/sqlite/main.ts
 *
 * The folder is a package with SQLite in it for two platforms, which has to be built first; the README says how.
 */

/** Whether `smf build` has been here. */
function isBuilt(): boolean {
  try {
    return Deno.statSync(new URL("native/mod.ts", import.meta.url)).isFile;
  } catch {
    return false;
  }
}

async function notes(): Promise<void> {
  const { Database, SqliteError } = await import("./mod.ts");
  console.log(`SQLite ${Database.version}`);
  using database = new Database();
  database.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE, weight REAL, picture BLOB)");
  using insert = database.prepare<[string, number, Uint8Array | null]>(
    "INSERT INTO note (text, weight, picture) VALUES (?, ?, ?)",
  );
  database.transaction(() => {
    insert.run("buy milk", 0.5, null);
    insert.run("paint the fence", 2, new Uint8Array([0x89, 0x50]));
  });

  try {
    database.transaction(() => {
      insert.run("call home", 1, null);
      insert.run("buy milk", 9, null);
    });
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    console.log(`${error.name} ${error.code}: ${error.message}`);
  }

  using heavy = database.prepare<[number], { id: number; text: string; picture: Uint8Array | null }>(
    "SELECT id, text, picture FROM note WHERE weight >= ? ORDER BY weight DESC",
  );
  for (const { id, text, picture } of heavy.rows(0)) {
    console.log(`${id} ${text}, ${picture?.length ?? "no"} bytes of picture`);
  }
}

if (isBuilt()) await notes();
else console.log("SQLite is not built here: run `deno task libraries` and `deno task build` in this folder");
