// Calls functions that handle faults of their own, and of another module.
import { ModuleRegistry } from "../../../mod.ts";

using registry = new ModuleRegistry();
using module = registry.load(Deno.args[0]);
const { symbols } = module.bind({
  guarded: { parameters: ["i32"], result: "i32" },
  final_blocks: { parameters: ["i32"], result: "i32" },
});
using other = registry.loadBytes("other", Deno.readFileSync(Deno.args[0]));
using unguarded = other.addressOf("unguarded")!;
const { symbols: { guarded_call } } = module.bind({
  guarded_call: { parameters: ["function", "i32"], result: "i32" },
});
const pointer = Deno.UnsafePointer.create(unguarded.address);
console.log(JSON.stringify([
  ...[symbols.guarded(0), symbols.guarded(3)],
  ...[0, 5, 6].map((value) => symbols.final_blocks(value)),
  ...[0, 4].map((value) => guarded_call(pointer, value)),
]));
