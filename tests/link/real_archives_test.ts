// Every static library that is installed links, and some of them run.
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { cString } from "../../src/os/c_strings.ts";
import { staticLibrary, testWith } from "../support/real_archives.ts";
import { TemporaryDirectory } from "../support/testing.ts";
import { hexBytes } from "../support/digits.ts";
import { query, SQLITE } from "../support/sqlite.ts";

/** Archives, Debian's packages, and other archives that they need. */
const LIBRARIES: [file: string, debian: string, needs: string[]][] = [
  ["libz.a", "zlib1g-dev", []],
  ["liblua5.4.a", "liblua5.4-dev", []],
  ["libsqlite3.a", "libsqlite3-dev", []],
  ["libzstd.a", "libzstd-dev", []],
  ["liblz4.a", "liblz4-dev", []],
  ["libxxhash.a", "libxxhash-dev", []],
  ["libcrypto.a", "libssl-dev", []],
  ["libssl.a", "libssl-dev", ["libcrypto.a"]],
];

for (const [file, debian, needs] of LIBRARIES) {
  testWith(`${file} links as a whole`, file, debian, (archive) => {
    const inputs = [file, ...needs].map((name) => ({
      name,
      bytes: name === file ? archive : staticLibrary(name)!,
    }));
    const { bytes, map } = linkObjects(inputs, { exports: ["*"] });
    const { symbols, relocations } = parseSmf(bytes);
    assertEquals(relocations.length, map.relocations.kept);
    for (const { name, address } of map.exports) assertEquals(symbols.find(name)?.value, address, name);
    // The remaining imports are those of the C library, not of a member that was left out.
    const own = new Set(map.exports.map(({ name }) => name));
    assert(map.imports.every(({ name }) => !own.has(name)));
    assert(map.imports.length < 200);
  });
}

testWith(
  "SQLite: queries answer what they answer in the shared library",
  "libsqlite3.a",
  "libsqlite3-dev",
  (archive) => {
    const { bytes } = linkObjects([{ name: "libsqlite3.a", bytes: archive }], {
      exports: Object.keys(SQLITE),
    });
    using registry = new ModuleRegistry({ libraries: ["libc.so.6", "libm.so.6"] });
    using module = registry.loadBytes("sqlite", bytes);
    const shared = Deno.dlopen("libsqlite3.so.0", SQLITE);
    try {
      const ours = module.bind(SQLITE).symbols as unknown as typeof shared.symbols;
      for (
        const sql of [
          "select sqlite_source_id()",
          "with recursive c(x) as (select 1 union all select x + 1 from c where x < 500) select x || ':' || x * x from c where x % 37 = 0",
          "select printf('%.6f %s %05d', sqrt(2), upper('abc'), 42)",
          `select json_extract('{"a": [1, 2, {"b": "deep"}]}', '$.a[2].b')`,
          "select strftime('%Y-%m-%d', 1700000000, 'unixepoch') || group_concat(value) from json_each('[3,1,2]')",
        ]
      ) {
        const rows = query(ours, sql);
        assert(rows.length > 0);
        assertEquals(rows, query(shared.symbols, sql));
      }
    } finally {
      shared.close();
    }
  },
);

const DIGEST = {
  EVP_get_digestbyname: { parameters: ["buffer"], result: "pointer" },
  EVP_Digest: { parameters: ["buffer", "usize", "buffer", "buffer", "pointer", "pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

testWith(
  "OpenSSL: start-up fragments, atexit and hand-written assembly work",
  "libcrypto.a",
  "libssl-dev",
  (archive) => {
    const { bytes } = linkObjects([{ name: "libcrypto.a", bytes: archive }], {
      exports: Object.keys(DIGEST),
    });
    using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
    using module = registry.loadBytes("crypto", bytes);
    const { symbols } = module.bind(DIGEST);
    const data = Uint8Array.from({ length: 10_000 }, (_, i) => i * 7);
    const digest = (name: string) => {
      const out = new Uint8Array(64);
      const length = new Uint32Array(1);
      const method = symbols.EVP_get_digestbyname(cString(name));
      assertEquals(symbols.EVP_Digest(data, BigInt(data.length), out, length, method, null), 1);
      return [...out.subarray(0, length[0])].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    };
    // Expected values: Python's hashlib over the same bytes.
    assertEquals(digest("MD5"), "06a474d076d55fe5bdaafbb83017ffca");
    assertEquals(digest("SHA256"), "1960fc83dfe55d502c2c17295c2aacdb2cb91b4bf5df44a8a47eafda65c604b8");
  },
);

testWith(
  "OpenSSL: SHA-512 of a file is what the shared library makes of it",
  "libcrypto.a",
  "libssl-dev",
  (archive) => {
    const { bytes } = linkObjects([{ name: "libcrypto.a", bytes: archive }], {
      exports: Object.keys(DIGEST),
    });
    using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
    using module = registry.loadBytes("crypto", bytes);
    const { EVP_get_digestbyname, EVP_Digest } = module.bind(DIGEST).symbols;
    // The archive itself is the file.
    const out = new Uint8Array(64);
    const method = EVP_get_digestbyname(cString("SHA512"));
    const size = BigInt(archive.length);
    assertEquals(EVP_Digest(archive as Uint8Array<ArrayBuffer>, size, out, null, method, null), 1);
    assertEquals(hexBytes(out), digestOfShared(archive));
  },
);

/**
 * The SHA-512 of bytes by libcrypto.so, in a process of its own: when a process ends, the library frees
 * what it keeps for each thread, and a thread that ends just then frees it a second time.
 */
function digestOfShared(bytes: Uint8Array): string {
  using directory = new TemporaryDirectory();
  const args = ["dgst", "-sha512", "-r", directory.file("input", bytes)];
  const { stdout } = new Deno.Command("openssl", { args }).outputSync();
  return new TextDecoder().decode(stdout).split(" ")[0];
}
