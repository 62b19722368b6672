// SQLite's functions, from a shared library or from a module, and a query by them.
import { assertEquals } from "@std/assert";
import { cString } from "../../src/os/c_strings.ts";

/** Definitions of the functions that a query takes. */
export const SQLITE = {
  sqlite3_open: { parameters: ["buffer", "buffer"], result: "i32" },
  sqlite3_prepare_v2: { parameters: ["pointer", "buffer", "i32", "buffer", "pointer"], result: "i32" },
  sqlite3_step: { parameters: ["pointer"], result: "i32" },
  sqlite3_column_text: { parameters: ["pointer", "i32"], result: "pointer" },
  sqlite3_finalize: { parameters: ["pointer"], result: "i32" },
  sqlite3_close: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The first column of all rows of a query on a database in memory. */
export function query(lite: Deno.StaticForeignLibraryInterface<typeof SQLITE>, sql: string): string[] {
  const out = new BigUint64Array(1);
  const pointer = () => Deno.UnsafePointer.create(out[0]);
  assertEquals(lite.sqlite3_open(cString(":memory:"), out), 0);
  const database = pointer();
  assertEquals(lite.sqlite3_prepare_v2(database, cString(sql), -1, out, null), 0);
  const statement = pointer();
  const rows: string[] = [];
  while (lite.sqlite3_step(statement) === 100) {
    rows.push(Deno.UnsafePointerView.getCString(lite.sqlite3_column_text(statement, 0)!));
  }
  lite.sqlite3_finalize(statement);
  lite.sqlite3_close(database);
  return rows;
}
