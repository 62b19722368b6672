// The web server with a native filter: what the filters make of a picture, no request lost over reloads, a browser.
import { assert, assertEquals } from "@std/assert";
import { HEIGHT, paint, WIDTH } from "../../examples/image_filter/picture.ts";
import { builtModule, DEFINITIONS, handlerOf } from "../../examples/image_filter/server.ts";
import { type LiveLibrary, ModuleRegistry } from "../../mod.ts";
import { hasCommand } from "../support/compilers.ts";
import { TemporaryDirectory } from "../support/testing.ts";

type Filter = (value: (dx: number, dy: number) => number) => number;

const mean = (a: number, b: number): number => (a + b + 1) >> 1;

/** The filters of the example, once more: of one byte, by those of the pixels around it. */
const FILTERS: Readonly<Record<"blur" | "edges", Filter>> = {
  blur: (value) => {
    const three = (dy: number) => mean(value(0, dy), mean(value(-1, dy), value(1, dy)));
    return mean(three(0), mean(three(-1), three(1)));
  },
  edges: (value) =>
    Math.min(255, Math.abs(value(-1, 0) - value(1, 0)) + Math.abs(value(0, -1) - value(0, 1))),
};

/** What a filter makes of the picture, byte by byte. */
function filtered(name: "blur" | "edges"): Uint8Array<ArrayBuffer> {
  const picture = paint();
  return picture.map((byte, at) => {
    const x = (at >> 2) % WIDTH, y = Math.floor((at >> 2) / WIDTH);
    if (x === 0 || y === 0 || x === WIDTH - 1 || y === HEIGHT - 1 || at % 4 === 3) return byte;
    return FILTERS[name]((dx, dy) => picture[at + 4 * (dx + dy * WIDTH)]);
  });
}

/** The modules that are built for this system; undefined on others. */
function builtModules(): Record<"blur" | "edges", Uint8Array> | undefined {
  try {
    return { blur: Deno.readFileSync(builtModule("blur")), edges: Deno.readFileSync(builtModule("edges")) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const modules = builtModules();

/** Tells pictures apart faster than a comparison of their bytes in JavaScript. */
async function digest(pixels: Uint8Array<ArrayBuffer>): Promise<string> {
  return String(new Uint8Array(await crypto.subtle.digest("SHA-256", pixels)));
}

/** Runs a server whose filter is a blur, as long as `work` does. */
async function serving(
  work: (url: string, registry: ModuleRegistry) => Promise<void>,
  handler: (library: LiveLibrary<typeof DEFINITIONS>) => Deno.ServeHandler = handlerOf,
): Promise<void> {
  await using registry = new ModuleRegistry();
  using _first = registry.loadBytes("filter", modules!.blur);
  using filter = registry.open("filter", DEFINITIONS);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler(filter));
  await work(`http://127.0.0.1:${server.addr.port}`, registry);
}

async function pixelsOf(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  assertEquals(response.status, 200);
  return (await response.bytes()).subarray(54);
}

Deno.test({
  name: "vectors filter as one byte after another does",
  ignore: modules === undefined,
  async fn() {
    await serving(async (url, registry) => {
      assertEquals(await digest(await pixelsOf(`${url}/original.bmp`)), await digest(paint()));
      assertEquals(await digest(await pixelsOf(`${url}/filtered.bmp`)), await digest(filtered("blur")));
      registry.reload("filter", { bytes: modules!.edges }).close();
      assertEquals(await digest(await pixelsOf(`${url}/filtered.bmp`)), await digest(filtered("edges")));
      const { status, body } = await fetch(`${url}/other`);
      await body?.cancel();
      assertEquals(status, 404);
    });
  },
});

Deno.test({
  name: "each of many requests at once is answered by the old or the new filter over reloads",
  ignore: modules === undefined,
  async fn() {
    const names = new Map<string, "blur" | "edges">();
    for (const name of ["blur", "edges"] as const) names.set(await digest(filtered(name)), name);
    await serving(async (url, registry) => {
      const seen = { blur: 0, edges: 0 };
      let waiting = 0, most = 0;
      const request = async (): Promise<void> => {
        most = Math.max(most, ++waiting);
        const pixels = await pixelsOf(`${url}/filtered.bmp`);
        waiting--;
        const name = names.get(await digest(pixels));
        assert(name !== undefined, "a picture is a mixture of both filters");
        seen[name]++;
      };
      for (const name of ["edges", "blur", "edges", "blur"] as const) {
        const requests = Array.from({ length: 16 }, request);
        // Until calls of the old filter are running.
        await Promise.race(requests);
        registry.reload("filter", { bytes: modules![name] }).close();
        await Promise.all([...requests, ...Array.from({ length: 16 }, request)]);
      }
      assertEquals(seen.blur + seen.edges, 128);
      assert(seen.blur >= 32 && seen.edges >= 32, JSON.stringify(seen));
      assert(most >= 16);
    });
  },
});

/** Runs in the page: sends a hash of the colours of both pictures to the server, once for each filter. */
const MEASURE = `<script type="module">
  const colours = async ({ src }) => {
    // The page changes its own picture twice a second.
    const image = new Image();
    image.src = src;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const bytes = [...context.getImageData(0, 0, canvas.width, canvas.height).data];
    return bytes.filter((_, at) => at % 4 !== 3).reduce((hash, byte) => (31 * hash + byte) | 0, 7);
  };
  const send = (name, colour) => fetch(name, { method: "POST", body: String(colour) });
  await send("original", await colours(original));
  await send("blur", await colours(filtered));
  await send("reload");
  const before = filtered.src;
  while (filtered.src === before) await new Promise((resolve) => setTimeout(resolve, 50));
  await send("edges", await colours(filtered));
</script>`;

/** The hash of MEASURE, of pixels whose colours are blue, green, red. */
function hashOf(pixels: Uint8Array): number {
  let hash = 7;
  for (let at = 0; at < pixels.length; at += 4) {
    for (const byte of [pixels[at + 2], pixels[at + 1], pixels[at]]) hash = (Math.imul(31, hash) + byte) | 0;
  }
  return hash;
}

const browser = ["chromium-headless-shell", "chromium"].find(hasCommand);
const canBrowse = browser !== undefined && modules !== undefined;

Deno.test({
  name:
    "a browser shows the picture, what the filter makes of it, and by itself what a new filter makes of it" +
    (canBrowse ? "" : " (SKIPPED: needs chromium)"),
  ignore: !canBrowse,
  async fn() {
    using folder = new TemporaryDirectory();
    const measured: Record<string, number> = {};
    const finished = Promise.withResolvers<void>();
    const patience = setTimeout(
      () => finished.reject(new Error(`the page only sent ${JSON.stringify(measured)}`)),
      60_000,
    );
    let reload = (): void => {};
    const handler = (library: LiveLibrary<typeof DEFINITIONS>) => {
      const answer = handlerOf(library);
      return async (request: Request): Promise<Response> => {
        const name = new URL(request.url).pathname.slice(1);
        if (request.method !== "POST") {
          const response = await answer(request);
          return name === ""
            ? new Response((await response.text()).replace("</html>", `${MEASURE}</html>`), response)
            : response;
        }
        const text = await request.text();
        if (name === "reload") reload();
        else measured[name] = Number(text);
        if (name === "edges") finished.resolve();
        return new Response("");
      };
    };
    await serving(async (url, registry) => {
      reload = () => registry.reload("filter", { bytes: modules!.edges }).close();
      const profile = `--user-data-dir=${folder.join("profile")}`;
      const child = new Deno.Command(browser!, {
        args: ["--no-sandbox", "--disable-gpu", profile, "--remote-debugging-port=0", `${url}/`],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        await finished.promise;
      } finally {
        clearTimeout(patience);
        child.kill("SIGKILL");
        await child.status;
      }
    }, handler);
    assertEquals(measured, {
      original: hashOf(paint()),
      blur: hashOf(filtered("blur")),
      edges: hashOf(filtered("edges")),
    });
  },
});
