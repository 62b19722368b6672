// Replaced versions that other modules' variables point into.
import { assertEquals } from "@std/assert";
import { type LoadedModule, ModuleRegistry } from "../../../mod.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { FailingAllocator } from "../../support/failing_allocator.ts";
import { runChild } from "../../support/modules.ts";
import { version } from "../../support/versions.ts";

const plug = (answer: number) => version({ functions: { on: answer } });
const host = () => version({ functions: { answer: 1 }, data: { callback: [0n] } });
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** The variable of a host module in which native code would keep a callback. */
function callbackOf({ dataMemory: { address } }: LoadedModule): BigUint64Array {
  const pointer = Deno.UnsafePointer.create(address)!;
  return new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 8));
}

testWithCompilers(
  ["gcc"],
  "a callback that a plug-in gave to another module calls living code",
  async (folder) => {
    Deno.writeTextFileSync(
      `${folder}/host.c`,
      "static int (*kept)(int);\n" +
        "void keep(int (*callback)(int)) { kept = callback; }\n" +
        "int fire(int x) { return kept ? kept(x) : -1; }\n",
    );
    Deno.writeTextFileSync(
      `${folder}/plug.c`,
      "void keep(int (*)(int));\n" +
        "static int on(int x) { return x * FACTOR; }\n" +
        "int init(void) { keep(on); return 0; }\n",
    );
    await compile("gcc", ["-O2", "-fPIC", "-c", "host.c"], folder);
    const objects = [`${folder}/host.o`];
    for (const factor of [1, 2, 3]) {
      const object = `${folder}/plug${factor}.o`;
      await compile("gcc", ["-O2", "-fPIC", `-DFACTOR=${factor}`, "-c", "plug.c", "-o", object], folder);
      objects.push(object);
    }
    const { code, signal, stdout, stderr } = await runChild(new URL("./callback_child.ts", import.meta.url), {
      args: objects,
    });
    assertEquals([code, signal], [0, null], stderr);
    // The versions are 1, 2, 3, 1, 2, 3: the third, the first and the third of the second round register.
    assertEquals(JSON.parse(stdout), [10, 10, 10, 10, 30, 30, 30, 30, 20, 20, 20]);
  },
);

for (const keepVersions of [0, 1]) {
  Deno.test(`a replaced version stays while a variable leads into it, with keepVersions ${keepVersions}`, async () => {
    const allocator = new FailingAllocator();
    await using registry = new ModuleRegistry({ keepVersions, allocator });
    using hostModule = registry.loadBytes("host", host());
    const callback = callbackOf(hostModule);
    const first = registry.loadBytes("plug", plug(1));
    callback[0] = first.codeMemory.address;
    using _live = registry.open("plug", { on: { parameters: [], result: "i32" } });
    const reload = async (answer: number) => {
      registry.reload("plug", { bytes: plug(answer) }).close();
      await turn();
    };
    await reload(2);
    first.close();
    for (let answer = 3; answer < 6; answer++) await reload(answer);
    assertEquals(first.holders(), ["an address in variables of module 'host'"]);
    assertEquals(registry.versions("plug").length, keepVersions + 1, "a rollback does not go there");
    const before = allocator.live.size;

    callback[0] = 0n;
    await reload(6);
    assertEquals(first.holders(), []);
    assertEquals(allocator.live.size, before - 1);
  });
}

Deno.test("a version that stays for an address ends with the module that holds it", async () => {
  const allocator = new FailingAllocator();
  await using registry = new ModuleRegistry({ keepVersions: 0, allocator });
  const hostModule = registry.loadBytes("host", host());
  const first = registry.loadBytes("plug", plug(1));
  callbackOf(hostModule)[0] = first.codeMemory.address;
  using _second = registry.reload("plug", { bytes: plug(2) });
  first.close();
  await turn();
  assertEquals(allocator.live.size, 3);
  await first.closeAsync(); // Settles: nothing tells when a variable changes.
  registry.unload("host");
  hostModule.close();
  await turn();
  assertEquals(allocator.live.size, 1);
});

Deno.test("the version that is current ends when it is unloaded, wherever addresses lead", () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator });
  const hostModule = registry.loadBytes("host", host());
  const first = registry.loadBytes("plug", plug(1));
  registry.reload("plug", { bytes: plug(2) });
  registry.rollback("plug");
  callbackOf(hostModule)[0] = first.codeMemory.address;
  registry.unload("plug", { force: true });
  assertEquals([first.isOpen, first.holders()], [false, []]);
  assertEquals(allocator.live.size, 1);
});

Deno.test("an importer's end frees the replaced version that only it kept", async () => {
  const allocator = new FailingAllocator();
  using registry = new ModuleRegistry({ allocator, keepVersions: 0 });
  const first = registry.loadBytes("m", version({ functions: { f: 1 }, data: { total: [0n] } }));
  const importer = registry.loadBytes("importer", version({ data: { word: ["total"] } }));
  registry.reload("m", { bytes: version({ functions: { f: 2 } }), compatibility: "allow" });
  const closed = first.closeAsync();
  const before = allocator.live.size;
  importer.close();
  await closed;
  assertEquals(allocator.live.size, before - 2);
});
