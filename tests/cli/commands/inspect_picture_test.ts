// `smf inspect --html`: a page of its own, which a browser shows.
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { toFileUrl } from "@std/path";
import { SectionType, SymbolType } from "../../../src/smf/mod.ts";
import { hasCommand } from "../../support/compilers.ts";
import { hostBuilder, TemporaryDirectory } from "../../support/testing.ts";
import { smf } from "../../support/smf_command.ts";

Deno.test("the page shows image, functions, relocations and imports, and needs nothing else", async () => {
  using folder = new TemporaryDirectory();
  const target = folder.join("a.html");
  const { code, out, err } = await smf("inspect", "fixtures/importer.smf", "--html", "-o", target);
  assertEquals([code, out, err], [0, [], []]);
  const page = Deno.readTextFileSync(target);
  for (const text of ["<!doctype html>", "Image, to scale", "<title>code: ", "Imports: 1", ">scale<"]) {
    assertStringIncludes(page, text);
  }
  assertEquals(page.match(/\b(?:src|href)=|https?:|@import|url\(|<script/g), null);
  const printed = await smf("inspect", "fixtures/importer.smf", "--html");
  assertEquals(`${printed.out.join("\n")}\n`, page);
});

Deno.test("names of the module cannot become markup", async () => {
  using folder = new TemporaryDirectory();
  const builder = hostBuilder();
  builder.section({ name: "<i>", type: SectionType.Code, bytes: new Uint8Array(64) });
  builder.symbol({ name: `<script>alert("1")</script>`, type: SymbolType.Function, size: 64 });
  builder.symbol({ name: "a&b'c", type: SymbolType.Function, defined: false });
  const { out } = await smf("inspect", folder.file("a.smf", builder.build()), "--html");
  const page = out.join("\n");
  assert(!page.includes("<script") && !page.includes("<i>"));
  assertStringIncludes(page, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
  assertStringIncludes(page, "a&amp;b&#39;c");
});

Deno.test("--html stands alone, and --output needs it", async () => {
  const fails = async (...args: string[]) => {
    const { code, err } = await smf("inspect", "fixtures/importer.smf", ...args);
    assertEquals(code, 2);
    return err.join("\n");
  };
  assertStringIncludes(await fails("--html", "--types"), "--types and --html exclude each other");
  assertStringIncludes(await fails("-o", "a.html"), "--output needs --html");
});

const browser = ["chromium-headless-shell", "chromium"].find(hasCommand);

Deno.test({
  name: browser === undefined
    ? "a browser draws every part inside its drawing, to scale (SKIPPED: needs chromium)"
    : "a browser draws every part inside its drawing, to scale",
  ignore: browser === undefined,
  async fn() {
    using folder = new TemporaryDirectory();
    const { out } = await smf("inspect", "fixtures/c/strings.smf", "--html");
    // Measured in the browser, and left in the document that it prints.
    const script = `<script>
      const measured = [...document.querySelectorAll("svg")].map((svg) => {
        const frame = svg.getBoundingClientRect();
        const boxes = [...svg.querySelectorAll("g rect")].map((rect) => rect.getBoundingClientRect());
        return {
          inside: boxes.every((box) => box.left >= frame.left - 1 && box.right <= frame.right + 1 &&
            box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1),
          shares: boxes.map((box) => box.width * box.height / (frame.width * frame.height)),
        };
      });
      document.title = JSON.stringify(measured);
    </script>`;
    const page = folder.file("a.html", new TextEncoder().encode(`${out.join("\n")}\n${script}`));
    const args = ["--no-sandbox", "--disable-gpu", `--user-data-dir=${folder.join("profile")}`, "--dump-dom"];
    const { stdout, success } = await new Deno.Command(browser!, {
      args: [...args, toFileUrl(page).href],
      stderr: "null",
    }).output();
    assert(success);
    const title = /<title>(\[.*?\])<\/title>/.exec(new TextDecoder().decode(stdout))!;
    const measured = JSON.parse(title[1]) as { inside: boolean; shares: number[] }[];
    assert(measured.length >= 3 && measured.every(({ inside }) => inside));
    const { image } = JSON.parse((await smf("inspect", "fixtures/c/strings.smf", "--json")).out[0]);
    const lengths = image.regions.toSorted((a: { offset: number }, b: { offset: number }) =>
      a.offset - b.offset
    )
      .map(({ length }: { length: number }) => length);
    lengths.forEach((length: number, index: number) => {
      assertAlmostEquals(measured[0].shares[index], length / image.size, 0.01);
    });
  },
});
