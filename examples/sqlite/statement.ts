/**
 * Prepared statements: values go in as parameters and come out as rows.
 */
import { check } from "./error.ts";
import { BLOB, DONE, FLOAT, INTEGER, library, ROW, TEXT, TRANSIENT } from "./library.ts";

/**
 * A value of a column or parameter. Integers of 64 bits are numbers, or bigints beyond 2⁵³ − 1. A number with a
 * fraction is a `REAL`, a `Uint8Array` a `BLOB`.
 */
export type Value = null | number | bigint | string | Uint8Array;

/** The values of a row by the names of their columns. */
export type Row = Record<string, Value>;

/** What a statement has changed. */
export interface Changes {
  /** How many rows were inserted, changed or deleted. */
  readonly changes: number | bigint;
  /** The row that was inserted last. */
  readonly lastInsertRowid: number | bigint;
}

/** A statement that is compiled once and run often. Not for use after its database is closed. */
export class Statement<P extends readonly Value[] = Value[], R extends Row = Row> implements Disposable {
  readonly #database: Deno.PointerValue;
  readonly #sql: string;
  readonly #ended: () => void;
  #statement: Deno.PointerValue = null;
  #isRunning = false;

  /** Is called by `Database.prepare`. */
  constructor(database: Deno.PointerValue, sql: string, ended: () => void) {
    this.#database = database;
    this.#sql = sql;
    this.#ended = ended;
    const text = new TextEncoder().encode(`${sql}\0`);
    const start = Deno.UnsafePointer.of(text);
    const out = new BigUint64Array(1), end = new BigUint64Array(1);
    const { sqlite3_prepare_v3, sqlite3_finalize } = library();
    check(database, sqlite3_prepare_v3(database, start, text.length, 0, out, end), sql);
    const statement = Deno.UnsafePointer.create(out[0]);
    const rest = text.subarray(Number(end[0] - Deno.UnsafePointer.value(start)), -1);
    if (statement === null || new TextDecoder().decode(rest).trim() !== "") {
      sqlite3_finalize(statement);
      throw new TypeError("Cannot prepare a statement: the text is not exactly one");
    }
    this.#statement = statement;
  }

  /** Runs it to its end. */
  run(...parameters: P): Changes {
    for (const _ of this.rows(...parameters));
    const { sqlite3_changes64, sqlite3_last_insert_rowid } = library();
    return {
      changes: sqlite3_changes64(this.#database),
      lastInsertRowid: sqlite3_last_insert_rowid(this.#database),
    };
  }

  /** Runs it until its first row; undefined if there is none. */
  get(...parameters: P): R | undefined {
    for (const row of this.rows(...parameters)) return row;
    return undefined;
  }

  /** Runs it and returns all rows. */
  all(...parameters: P): R[] {
    return [...this.rows(...parameters)];
  }

  /**
   * Runs it as far as somebody asks for rows.
   *
   * @throws {SqliteError} if it fails.
   * @throws {TypeError} for a wrong number of parameters, or one that is not a {@linkcode Value}.
   */
  *rows(...parameters: P): Generator<R, void> {
    const statement = this.#open();
    const { sqlite3_step, sqlite3_reset, sqlite3_column_count, sqlite3_column_name } = library();
    if (this.#isRunning) throw new TypeError("Cannot run the statement: its rows are still being read");
    this.#isRunning = true;
    try {
      this.#bind(statement, parameters);
      let names: string[] | undefined;
      for (;;) {
        const code = sqlite3_step(statement);
        if (code === DONE) return;
        if (code !== ROW) check(this.#database, code, this.#sql);
        names ??= Array.from(
          { length: sqlite3_column_count(statement) },
          (_, index) => sqlite3_column_name(statement, index)!,
        );
        yield Object.fromEntries(names.map((name, index) => [name, column(statement, index)])) as R;
        // Whoever reads the rows may have closed the database.
        this.#open();
      }
    } finally {
      this.#isRunning = false;
      if (this.#statement !== null) sqlite3_reset(statement);
    }
  }

  /** Frees it. Does nothing the second time. */
  [Symbol.dispose](): void {
    if (this.#statement !== null) library().sqlite3_finalize(this.#statement);
    this.#statement = null;
    this.#ended();
  }

  #open(): Deno.PointerValue {
    if (this.#statement === null) throw new TypeError("Cannot use the statement: it is closed");
    return this.#statement;
  }

  #bind(statement: Deno.PointerValue, parameters: readonly Value[]): void {
    const wanted = library().sqlite3_bind_parameter_count(statement);
    if (parameters.length !== wanted) {
      throw new TypeError(
        `Cannot run the statement: it takes ${wanted} parameters, not ${parameters.length}`,
      );
    }
    parameters.forEach((value, index) => check(this.#database, bind(statement, index + 1, value), this.#sql));
  }
}

/** Sets a parameter, counted from 1; returns SQLite's result code. */
function bind(statement: Deno.PointerValue, index: number, value: Value): number {
  const sqlite = library();
  if (value === null) return sqlite.sqlite3_bind_null(statement, index);
  if (typeof value === "number") {
    return Number.isSafeInteger(value) && !Object.is(value, -0)
      ? sqlite.sqlite3_bind_int64(statement, index, value)
      : sqlite.sqlite3_bind_double(statement, index, value);
  }
  if (typeof value === "bigint") {
    if (BigInt.asIntN(64, value) !== value) {
      throw new RangeError(`Cannot set parameter ${index}: ${value} has more than 64 bits`);
    }
    return sqlite.sqlite3_bind_int64(statement, index, value);
  }
  if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    // A pointer to nothing would be NULL.
    const bytes = text.length > 0 ? text : new Uint8Array(1);
    return sqlite.sqlite3_bind_text(statement, index, bytes, text.length, TRANSIENT);
  }
  if (!(value instanceof Uint8Array)) {
    throw new TypeError(`Cannot set parameter ${index}: ${typeof value} is not a type of SQLite`);
  }
  return value.length === 0
    ? sqlite.sqlite3_bind_zeroblob(statement, index, 0)
    : sqlite.sqlite3_bind_blob(statement, index, value as Uint8Array<ArrayBuffer>, value.length, TRANSIENT);
}

/** Reads a column of the current row. */
function column(statement: Deno.PointerValue, index: number): Value {
  const sqlite = library();
  switch (sqlite.sqlite3_column_type(statement, index)) {
    case INTEGER:
      return sqlite.sqlite3_column_int64(statement, index);
    case FLOAT:
      return sqlite.sqlite3_column_double(statement, index);
    case TEXT:
      return new TextDecoder().decode(
        bytesAt(
          sqlite.sqlite3_column_text(statement, index),
          sqlite.sqlite3_column_bytes(statement, index),
        ),
      );
    case BLOB:
      return bytesAt(
        sqlite.sqlite3_column_blob(statement, index),
        sqlite.sqlite3_column_bytes(statement, index),
      );
    default:
      return null;
  }
}

/** Copies bytes, which SQLite frees with the next step. */
function bytesAt(pointer: Deno.PointerValue, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  if (pointer !== null) new Deno.UnsafePointerView(pointer).copyInto(bytes);
  return bytes;
}
