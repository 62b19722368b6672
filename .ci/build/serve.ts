/** Serves the files of a folder over HTTP, as JSR does, and prints the address. */
import { join } from "@std/path";

const [folder] = Deno.args;
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, async (request) => {
  try {
    const { pathname } = new URL(request.url);
    const file = await Deno.open(join(folder, pathname));
    const type = pathname.endsWith(".ts") ? "text/typescript" : "text/javascript";
    return new Response(file.readable, { headers: { "content-type": type } });
  } catch {
    return new Response(null, { status: 404 });
  }
});
