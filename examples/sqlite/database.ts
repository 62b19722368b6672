/**
 * Databases.
 */
import { check } from "./error.ts";
import { library } from "./library.ts";
import { type Row, Statement, type Value } from "./statement.ts";

/** How a file is opened: `create` makes one that is not there. */
export type OpenMode = "read" | "write" | "create";

/** The flags of `sqlite3_open_v2`. */
const FLAGS: Readonly<Record<OpenMode, number>> = { read: 0x1, write: 0x2, create: 0x2 | 0x4 };

/** A database in a file, or in memory. Its statements end with it. */
export class Database implements Disposable {
  #database: Deno.PointerValue;
  readonly #statements = new Set<Disposable>();
  /** How many transactions are open, one in the other. */
  #depth = 0;

  /**
   * Opens a database.
   *
   * @param path The file. Default: none, the database is in memory.
   * @throws {SqliteError} if it cannot be opened.
   */
  constructor(path = ":memory:", mode: OpenMode = "create") {
    const { sqlite3_open_v2, sqlite3_extended_result_codes } = library();
    const out = new BigUint64Array(1);
    const code = sqlite3_open_v2(path, out, FLAGS[mode], null);
    this.#database = Deno.UnsafePointer.create(out[0]);
    try {
      check(this.#database, code);
      sqlite3_extended_result_codes(this.#database, 1);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The version of SQLite, such as `3.40.1`. */
  static get version(): string {
    return library().sqlite3_libversion()!;
  }

  /**
   * Runs statements that take no parameters and whose rows nobody wants.
   *
   * @throws {SqliteError} if one fails; those before it have been run.
   */
  exec(sql: string): void {
    const database = this.#open();
    check(database, library().sqlite3_exec(database, sql, null, null, null), sql);
  }

  /**
   * Compiles a statement, to run it with different parameters.
   *
   * @throws {SqliteError} if it is not one.
   * @throws {TypeError} if there are none, or several.
   */
  prepare<P extends readonly Value[] = Value[], R extends Row = Row>(sql: string): Statement<P, R> {
    const statement = new Statement<P, R>(this.#open(), sql, () => this.#statements.delete(statement));
    this.#statements.add(statement);
    return statement;
  }

  /** Runs `work`, which waits for nothing, in a transaction, which is undone if it throws; others may be in it. */
  transaction<T>(work: () => T): T {
    const name = `level${this.#depth++}`;
    try {
      this.exec(`SAVEPOINT ${name}`);
      try {
        const result = work();
        this.exec(`RELEASE ${name}`);
        return result;
      } catch (error) {
        try {
          this.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
        } catch {
          // SQLite has undone all of it itself, as for a full disk.
        }
        throw error;
      }
    } finally {
      this.#depth--;
    }
  }

  /** Ends the database and its statements. Does nothing the second time. */
  close(): void {
    for (const statement of this.#statements) statement[Symbol.dispose]();
    if (this.#database !== null) library().sqlite3_close_v2(this.#database);
    this.#database = null;
  }

  /** The same as {@linkcode close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): Deno.PointerValue {
    if (this.#database === null) throw new TypeError("Cannot use the database: it is closed");
    return this.#database;
  }
}
