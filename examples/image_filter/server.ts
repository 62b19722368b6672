/**
 * Serves a page with a picture, and with what a native filter makes of it.
 *
 *     deno run --allow-ffi --allow-read --allow-net=127.0.0.1 examples/image_filter/server.ts [module.smf]
 *
 * Under `smf dev` it takes up each change of the filter's source; the README says how.
 */

import { type LiveLibrary, ModuleRegistry } from "@simple/loader";
import { bitmap, HEIGHT, paint, WIDTH } from "./picture.ts";

/** The filter runs on a thread of its own, so that the server goes on answering. */
export const DEFINITIONS = {
  filter: { parameters: ["buffer", "buffer", "u32", "u32"], result: "void", nonblocking: true },
} as const;

/** The module that the repository has built for this system. */
export function builtModule(name: "blur" | "edges"): URL {
  return new URL(`${Deno.build.os}-${Deno.build.arch}/${name}.smf`, import.meta.url);
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Image filter</title>
<style>
  body { font: 16px system-ui; background: #222; color: #eee; text-align: center; }
  figure { display: inline-block; margin: 1em; }
  img { width: 320px; image-rendering: pixelated; }
</style>
<h1>A native filter in a web server</h1>
<figure><img id="original" src="original.bmp"><figcaption>the picture</figcaption></figure>
<figure><img id="filtered" src="filtered.bmp"><figcaption>filtered</figcaption></figure>
<script>setInterval(() => filtered.src = "filtered.bmp?" + Date.now(), 500)</script>
</html>
`;

/** Returns the handler of a server that answers with the page, the picture and the filtered picture. */
export function handlerOf(
  { symbols }: LiveLibrary<typeof DEFINITIONS>,
): (request: Request) => Promise<Response> {
  const picture = paint();
  const image = (pixels: Uint8Array<ArrayBuffer>): Response =>
    new Response(bitmap(pixels), { headers: { "content-type": "image/bmp", "cache-control": "no-store" } });
  return async (request) => {
    switch (new URL(request.url).pathname) {
      case "/":
        return new Response(PAGE, { headers: { "content-type": "text/html; charset=utf-8" } });
      case "/original.bmp":
        return image(picture);
      case "/filtered.bmp": {
        const filtered = picture.slice(); // the filter leaves the border as it is
        await symbols.filter(picture, filtered, WIDTH, HEIGHT);
        return image(filtered);
      }
      default:
        return new Response("Not found\n", { status: 404 });
    }
  };
}

if (import.meta.main) {
  const registry = new ModuleRegistry();
  const filter = registry.open(Deno.args[0] ?? builtModule("blur"), DEFINITIONS);
  Deno.serve({ hostname: "127.0.0.1", port: 8000 }, handlerOf(filter));
}
