// How far a link is: steps in order, parts that grow.
import { assert, assertEquals } from "@std/assert";
import { linkObjects, linkReporting } from "../../src/link/linker.ts";
import { LINK_STEPS, linkedPart, type LinkStep, REPORT_EACH } from "../../src/link/progress.ts";

const OBJECT = Deno.readFileSync("fixtures/c/arith.o");

Deno.test("each step is reported, in order, and the part that is done never shrinks", () => {
  const steps: LinkStep[] = [];
  let last = 0;
  const inputs = Array.from({ length: 200 }, (_, index) => ({ name: `${index}.o`, bytes: OBJECT }));
  const options = { allowMultipleDefinition: true, keep: ["*"] };
  let calls = 0;
  const { file } = linkReporting(inputs, options, (step, done, total) => {
    calls++;
    if (steps.at(-1) !== step) steps.push(step);
    const part = linkedPart(step, done, total);
    assert(part >= last && part <= 1 && done <= total, `${step}: ${done} of ${total}`);
    last = part;
  });
  assertEquals(steps, Object.keys(LINK_STEPS));
  // Objects, and their sections; some steps have one part.
  assert(calls > 200 / REPORT_EACH + Object.keys(LINK_STEPS).length, `${calls}`);
  assert(calls < 200, `${calls}`);
  assertEquals(file.join(), linkObjects(inputs, options).bytes);
});

Deno.test("the parts of the steps make a whole", () => {
  assertEquals(linkedPart("resolving names", 0, 1), 0);
  assertEquals(linkedPart("writing the module", 1, 1), 1);
  const names = Object.keys(LINK_STEPS) as LinkStep[];
  for (const [index, name] of names.slice(1).entries()) {
    assertEquals(linkedPart(name, 0, 5), linkedPart(names[index], 5, 5));
  }
});
