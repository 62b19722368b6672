/**
 * Errors of SQLite as exceptions.
 */
import { library, OK } from "./library.ts";

/** An error that SQLite reports, such as `UNIQUE constraint failed: note.text`. */
export class SqliteError extends Error {
  override readonly name = "SqliteError";
  /** The extended result code: 2067 is `SQLITE_CONSTRAINT_UNIQUE`. Its low 8 bits are the primary one. */
  readonly code: number;
  /** The statement that failed, if it is known. */
  readonly sql: string | undefined;

  /** @param message What has happened. */
  constructor(message: string, code: number, sql?: string) {
    super(message);
    this.code = code;
    this.sql = sql;
  }
}

/** Throws the last error of a database unless a result code says that there is none. */
export function check(database: Deno.PointerValue, code: number, sql?: string): void {
  if (code === OK) return;
  const { sqlite3_errmsg, sqlite3_extended_errcode } = library();
  throw new SqliteError(
    sqlite3_errmsg(database) ?? `result code ${code}`,
    database === null ? code : sqlite3_extended_errcode(database),
    sql,
  );
}
