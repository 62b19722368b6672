/**
 * SQLite with types: databases, prepared statements, and errors that are exceptions. The library itself is a native
 * module in the package, for Linux on x86-64 and AArch64; nothing has to be installed.
 *
 * Permissions: `--allow-ffi`, and `--allow-read` of the package. SQLite opens files of databases itself: Deno's
 * permissions for files do not hold for it.
 *
 * @example
 * ```ts
 * import { Database } from "@example/sqlite";
 *
 * using database = new Database("notes.db");
 * database.exec("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
 * using insert = database.prepare<[string]>("INSERT INTO note (text) VALUES (?)");
 * insert.run("buy milk");
 * for (const { id, text } of database.prepare<[], { id: number; text: string }>("SELECT * FROM note").rows()) {
 *   console.log(id, text);
 * }
 * ```
 *
 * @module
 */
export { Database, type OpenMode } from "./database.ts";
export { SqliteError } from "./error.ts";
export { type Changes, type Row, Statement, type Value } from "./statement.ts";
