/** Runs generated programs for `deno task fuzz --programs KIND`. */
import { fuzzIdentity } from "./identity/programs.ts";

/** Prints each failure with its seed and sources; returns the exit status. */
export async function fuzzPrograms(kind: string, seed: number, count: number): Promise<number> {
  if (kind !== "identity") {
    throw new Error(`Cannot generate programs of the kind '${kind}': there is identity`);
  }
  const seeds = Array.from({ length: count }, (_, index) => seed + index);
  const folder = Deno.makeTempDirSync();
  let failures = 0;
  const failed = ({ message }: Error): void => {
    failures++;
    console.log(message);
  };
  try {
    const counts = await fuzzIdentity(folder, { seeds, compilers: ["gcc", "clang"], length: 8 }, failed);
    console.log(`${count} programs, ${failures} failed: ${JSON.stringify(counts)}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  return failures === 0 ? 0 : 1;
}
