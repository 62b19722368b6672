// Links objects again and again in this process, each time one of them in another version, and prints the milliseconds
// of CPU time that each link took: `{ all: [...], own: [...] }`, of all threads and of the one that links.
import { LinkCache } from "../../src/link/link_cache.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { processTime, time } from "./measure.ts";

const [way, count, changed, ...paths] = Deno.args;
const cache = way === "again" ? new LinkCache() : undefined;
const all: number[] = [], own: number[] = [];
for (let link = 0; link < Number(count); link++) {
  const inputs = paths.map((path, index) => {
    const isChanged = index === paths.length >> 1 && link % 2 === 1;
    return { name: path, bytes: Deno.readFileSync(isChanged ? changed : path) };
  });
  let inThread = NaN;
  all.push(processTime(() => {
    inThread = time(() => linkObjects(inputs, { reloadable: true }, cache));
  }));
  own.push(inThread);
}
console.log(JSON.stringify({ all, own }));
