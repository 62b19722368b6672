/**
 * The functions of SQLite that the package uses, as its C interface declares them.
 */
import type { LiveLibrary } from "@simple/loader";
import { open } from "./native/mod.ts"; // written by `smf build --target`

const DEFINITIONS = {
  sqlite3_libversion: { parameters: [], result: "cstring" },
  sqlite3_open_v2: { parameters: ["cstring", "buffer", "i32", "pointer"], result: "i32" },
  sqlite3_close_v2: { parameters: ["pointer"], result: "i32" },
  sqlite3_extended_result_codes: { parameters: ["pointer", "i32"], result: "i32" },
  sqlite3_extended_errcode: { parameters: ["pointer"], result: "i32" },
  sqlite3_errmsg: { parameters: ["pointer"], result: "cstring" },
  sqlite3_exec: { parameters: ["pointer", "cstring", "pointer", "pointer", "pointer"], result: "i32" },
  sqlite3_changes64: { parameters: ["pointer"], result: "i64", integers: "number-or-bigint" },
  sqlite3_last_insert_rowid: { parameters: ["pointer"], result: "i64", integers: "number-or-bigint" },

  sqlite3_prepare_v3: {
    parameters: ["pointer", "pointer", "i32", "u32", "buffer", "buffer"],
    result: "i32",
  },
  sqlite3_finalize: { parameters: ["pointer"], result: "i32" },
  sqlite3_step: { parameters: ["pointer"], result: "i32" },
  sqlite3_reset: { parameters: ["pointer"], result: "i32" },

  sqlite3_bind_parameter_count: { parameters: ["pointer"], result: "i32" },
  sqlite3_bind_null: { parameters: ["pointer", "i32"], result: "i32" },
  sqlite3_bind_double: { parameters: ["pointer", "i32", "f64"], result: "i32" },
  sqlite3_bind_int64: {
    parameters: ["pointer", "i32", "i64"],
    result: "i32",
    integers: "number-or-bigint",
  },
  sqlite3_bind_text: {
    parameters: ["pointer", "i32", "buffer", "i32", "isize"],
    result: "i32",
    integers: "number",
  },
  sqlite3_bind_blob: {
    parameters: ["pointer", "i32", "buffer", "i32", "isize"],
    result: "i32",
    integers: "number",
  },
  sqlite3_bind_zeroblob: { parameters: ["pointer", "i32", "i32"], result: "i32" },

  sqlite3_column_count: { parameters: ["pointer"], result: "i32" },
  sqlite3_column_name: { parameters: ["pointer", "i32"], result: "cstring" },
  sqlite3_column_type: { parameters: ["pointer", "i32"], result: "i32" },
  sqlite3_column_int64: { parameters: ["pointer", "i32"], result: "i64", integers: "number-or-bigint" },
  sqlite3_column_double: { parameters: ["pointer", "i32"], result: "f64" },
  sqlite3_column_text: { parameters: ["pointer", "i32"], result: "pointer" },
  sqlite3_column_blob: { parameters: ["pointer", "i32"], result: "pointer" },
  sqlite3_column_bytes: { parameters: ["pointer", "i32"], result: "i32" },
} as const;

/** The functions. */
export type Library = LiveLibrary<typeof DEFINITIONS>["symbols"];

let opened: Library | undefined;

/** SQLite, which is loaded when it is first used. */
export function library(): Library {
  return opened ??= open("sqlite", DEFINITIONS).symbols;
}

/** Result codes that are no errors. */
export const OK = 0, ROW = 100, DONE = 101;

/** Types of a column's value. */
export const INTEGER = 1, FLOAT = 2, TEXT = 3, BLOB = 4;

/** In the place of the function that frees a text or blob: SQLite makes a copy of it. */
export const TRANSIENT = -1;
