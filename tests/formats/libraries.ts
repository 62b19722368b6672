/** Real libraries in C for Windows: their exports, and what runs of them answer. */
import { assert, assertEquals } from "@std/assert";
import type { LoadedModule } from "../../mod.ts";
import { LUA, type Lua, run, SCRIPTS } from "../support/lua.ts";
import { query, SQLITE } from "../support/sqlite.ts";

/** A library of `library_sources.ts`. */
export interface RealLibrary {
  readonly name: string;
  readonly exports: readonly string[];
  check(module: LoadedModule): void | Promise<void>;
}

/** The functions of zlib that take no structure; `unsigned long` has 32 bits on Windows. */
const ZLIB = {
  zlibVersion: { parameters: [], result: "pointer" },
  crc32: { parameters: ["u32", "buffer", "u32"], result: "u32" },
  adler32: { parameters: ["u32", "buffer", "u32"], result: "u32" },
  compressBound: { parameters: ["u32"], result: "u32" },
  compress2: { parameters: ["buffer", "buffer", "buffer", "u32", "i32"], result: "i32" },
  uncompress: { parameters: ["buffer", "buffer", "buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** What zlib compresses, the runtime's own decompression reads, and zlib too. */
async function checkZlib(module: LoadedModule): Promise<void> {
  const { symbols: zlib } = module.bind(ZLIB);
  assertEquals(Deno.UnsafePointerView.getCString(zlib.zlibVersion()!).slice(0, 4), "1.2.");
  const digits = new TextEncoder().encode("123456789");
  assertEquals(zlib.crc32(0, digits, 9), 0xcbf43926, "the check value of CRC-32");
  assertEquals(zlib.adler32(1, digits, 9), 0x091e01de);
  const text = Deno.readFileSync(new URL(import.meta.url));
  const sizes: number[] = [];
  for (let level = 0; level <= 9; level++) {
    const out = new Uint8Array(zlib.compressBound(text.length));
    const length = Uint32Array.of(out.length);
    assertEquals(zlib.compress2(out, length, text, text.length, level), 0);
    const packed = out.slice(0, length[0]);
    sizes.push(packed.length);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    assertEquals(await new Response(stream).bytes(), text, `level ${level}`);
    const back = new Uint8Array(text.length);
    assertEquals(zlib.uncompress(back, Uint32Array.of(back.length), packed, packed.length), 0);
    assertEquals(back, text);
    packed[packed.length >> 1] ^= 0xff;
    assert(
      zlib.uncompress(back, Uint32Array.of(back.length), packed, packed.length) < 0,
      "damage is noticed",
    );
  }
  assertEquals([sizes[0] > text.length, sizes[9] < sizes[1], sizes[1] < text.length], [true, true, true]);
}

/** Queries with their answers. */
const QUERIES: readonly (readonly [sql: string, rows: readonly string[]])[] = [
  ["select (6 * 7) || ' ' || upper('text')", ["42 TEXT"]],
  [
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select sum(i * i) from n",
    ["333833500"],
  ],
  [
    "with words(w) as (values ('pear'), ('fig'), ('apple'), ('fig')) select w || ' ' || count(*) from words " +
    "group by w order by count(*) desc, w",
    ["fig 2", "apple 1", "pear 1"],
  ],
  [
    "select printf('%.3f', value) from json_each('[1.5, 2.25, 1e3]') where value > 2 order by value",
    ["2.250", "1000.000"],
  ],
  ["select date('2024-02-28', '+2 days') || strftime(' %j', '2026-11-30')", ["2024-03-01 334"]],
  [
    "select group_concat(r, ' ') from (select row_number() over (order by column1 desc) * 10 + column1 as r " +
    "from (values (3), (1), (2)))",
    ["13 22 31"],
  ],
];

function checkSqlite(module: LoadedModule): void {
  const { symbols } = module.bind(SQLITE);
  for (const [sql, rows] of QUERIES) {
    assertEquals(query(symbols as unknown as Deno.StaticForeignLibraryInterface<typeof SQLITE>, sql), rows);
  }
}

/** What Lua's scripts answer, on every system. */
const SAID: Readonly<Record<string, string>> = {
  closures: "12,6",
  strings: 'EHT KCIUQ NWORB XOF| 3.14|ab    |ff|"a\\\nb"|1e+1001 = x, 2 = yä€12',
  coroutines: "true:12 true:mid! false:42 false:cannot resume dead coroutine 7,mid dead",
  errors:
    'false|[string "..."]:2: bottom|false|handled: [string "..."]:4: attempt to index a nil value (local \'t\')|true|false|stack overflow',
  metatables: "V(3)true21",
  mathematics: "0.9706914722943 1.8055288668982 1.393541936275 0.5816700169912 0.93944128679288 " +
    "3.5141733830415 7.6061963398438 11.032636098944 12.0984875955 11.707350686439 " +
    "13.373243846542 20.430182839846 32.542045373314 45.069666554912 52.931315954108 " +
    "56.262916257582 62.343098788583 80.468131426717 113.00993073675 " +
    "151.09889340654332inf90071992547409921",
  garbage: "0 small",
  chunks: "42 [string \"broken\"]:1: unexpected symbol near '+'",
  sorting: "2147139625 1081862461 310570attempt to compare string with number",
};

function checkLua(module: LoadedModule): void {
  const { symbols } = module.bind(LUA);
  for (const [name, script] of Object.entries(SCRIPTS)) {
    assertEquals(run(symbols as unknown as Lua, script), `0 ${SAID[name]}`, name);
  }
}

/** The libraries that run on Windows, too. */
export const REAL_LIBRARIES: readonly RealLibrary[] = [
  { name: "zlib", exports: Object.keys(ZLIB), check: checkZlib },
  { name: "sqlite3", exports: Object.keys(SQLITE), check: checkSqlite },
  { name: "Lua", exports: Object.keys(LUA), check: checkLua },
];
