// Compares with c++filt of binutils over all names of real libraries.
import { assert } from "@std/assert";
import { demangle } from "../../src/demangle/mod.ts";
import { compile, testOutputOf } from "../support/compilers.ts";

/** The mangled names of an object, an archive or a library, each once. */
async function namesOf(file: string): Promise<string[]> {
  const table = await compile("readelf", ["-sW", file]);
  return [...new Set(table.match(/(?<= )_(?:Z|R)[\w.$]+/g))];
}

/** What c++filt makes of names. */
async function filtered(names: readonly string[]): Promise<string[]> {
  const process = new Deno.Command("c++filt", { stdin: "piped", stdout: "piped" }).spawn();
  const output = process.output();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(names.join("\n")));
  await writer.close();
  return new TextDecoder().decode((await output).stdout).trimEnd().split("\n");
}

const STRING = "std::basic_string<char, std::char_traits<char>, std::allocator<char> >";

/** Leaves out what c++filt is more verbose in: abbreviations of the library, hashes of crates, types of constants. */
function plain(text: string): string {
  return text
    .replaceAll(STRING, "std::string")
    .replace(/std::basic_([io]|io)stream<char, std::char_traits<char> >/g, "std::$1stream")
    .replaceAll(" >", ">")
    .replace(/(?<=\w)\[[0-9a-f]{1,16}\]/g, "")
    .replace(/: (?:[ui](?:8|16|32|64|128|size)|bool|char)(?=[\],>])/g, "")
    .replace(/::h[0-9a-f]{16}$/, "");
}

/** Asserts that nearly all names agree, and that none is left that c++filt demangles. */
async function compareNames(names: readonly string[], atLeast: number): Promise<void> {
  assert(names.length >= atLeast, `${names.length} names`);
  const expected = await filtered(names);
  const different: string[] = [];
  for (const [index, name] of names.entries()) {
    const text = demangle(name) ?? name;
    if (plain(text) === plain(expected[index])) continue;
    assert(text !== name, `${name} is ${expected[index]}`);
    different.push(`${name}\n  ${text}\n  ${expected[index]}`);
  }
  // c++filt knows neither that a called template needs no parentheses nor what gcc and rustc append to names.
  assert(different.length <= names.length / 100, different.slice(0, 20).join("\n"));
}

testOutputOf("g++", "names of libstdc++.a are those of c++filt", async (_, run) => {
  const archive = (await run("-print-file-name=libstdc++.a")).trim();
  await compareNames(await namesOf(archive), 5000);
}, ["readelf", "c++filt"]);

testOutputOf("rustc", "names of Rust's standard library are those of c++filt", async (_, run) => {
  const folder = (await run("--print", "target-libdir")).trim();
  const names = new Set<string>();
  for (const { name } of Deno.readDirSync(folder)) {
    if (!/^lib(?:std|core|alloc|test|gimli)-.*\.rlib$/.test(name)) continue;
    for (const each of await namesOf(`${folder}/${name}`)) names.add(each);
  }
  await compareNames([...names], 2000);
}, ["readelf", "c++filt"]);
