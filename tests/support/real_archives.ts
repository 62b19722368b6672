// The system's static libraries, for tests that need real code.
import { isolated } from "./isolated.ts";

const FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];

/** Whether code for Linux on x86-64 can run here. */
export const canRun = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** The bytes of a static library; undefined if its package is not installed. */
export function staticLibrary(file: string): Uint8Array | undefined {
  for (const folder of FOLDERS) {
    try {
      return Deno.readFileSync(`${folder}/${file}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** A test of a real library, in a child; where the package is missing it is skipped and says which. */
export function testWith(
  name: string,
  file: string,
  debian: string,
  work: (archive: Uint8Array) => void,
): void {
  const archive = canRun ? staticLibrary(file) : undefined;
  Deno.test({
    name: archive === undefined
      ? `${name} (SKIPPED: needs ${file}, Debian's ${debian}, on Linux x86-64)`
      : name,
    ignore: archive === undefined,
    fn: isolated(() => work(archive!)),
  });
}
