// Links objects again and again in this process, and prints the milliseconds of CPU time that each link took.
import { linkObjects } from "../../src/link/linker.ts";
import { processTime, time } from "./measure.ts";

const [types, count, exports, ...paths] = Deno.args;
const inputs = paths.map((name) => ({ name, bytes: Deno.readFileSync(name) }));
const options = { exports: exports.split(","), types: types as "keep" | "off" };
const link = () => linkObjects(inputs, options);

const first = processTime(link);
const later = Array.from({ length: Number(count) }, () => time(link));
console.log(JSON.stringify({ first, later }));
