/**
 * Reloads a plug-in whose code gave a callback to a host, and prints what the
 * host's call of the callback gives before and after each version registers its
 * own. Arguments: the host's object, then the plug-in's objects.
 */
import { linkObjects, ModuleRegistry } from "../../../mod.ts";

const module = (path: string) =>
  linkObjects([{ name: path, bytes: Deno.readFileSync(path) }], { reloadable: true }).bytes;

const [host, ...plugs] = Deno.args.map(module);
using registry = new ModuleRegistry();
const handles = [registry.loadBytes("host", host), registry.loadBytes("plug", plugs[0])];
const { fire } = registry.open("host", { fire: { parameters: ["i32"], result: "i32" } }).symbols;
const { init } = registry.open("plug", { init: { parameters: [], result: "i32" } }).symbols;
for (const handle of handles) handle.close();
const answers: number[] = [];
init();
answers.push(fire(10));
for (const [index, bytes] of [...plugs.slice(1), ...plugs].entries()) {
  registry.reload("plug", { bytes }).close();
  await new Promise((resolve) => setTimeout(resolve, 5));
  answers.push(fire(10));
  // Every second version registers its callback anew.
  if (index % 2 === 1) init();
  answers.push(fire(10));
}
console.log(JSON.stringify(answers));
