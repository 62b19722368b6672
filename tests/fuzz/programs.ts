/** Runs generated programs for `deno task fuzz --programs KIND`. */
import { fuzzAbi } from "./abi/programs.ts";
import { fuzzIdentity } from "./identity/programs.ts";

const COMPILERS = ["gcc", "clang"];

type Fuzz = (folder: string, seeds: readonly number[], failed: (error: Error) => void) => Promise<object>;

const KINDS: Readonly<Record<string, Fuzz>> = {
  identity: (folder, seeds, failed) =>
    fuzzIdentity(folder, { seeds, compilers: COMPILERS, length: 8 }, failed),
  abi: (folder, seeds, failed) => fuzzAbi(folder, { seeds, compilers: COMPILERS }, failed),
};

/** Prints each failure with its seed and sources; returns the exit status. */
export async function fuzzPrograms(kind: string, seed: number, count: number): Promise<number> {
  const fuzz = KINDS[kind];
  if (fuzz === undefined) {
    throw new Error(
      `Cannot generate programs of the kind '${kind}': there are ${Object.keys(KINDS).join(", ")}`,
    );
  }
  const seeds = Array.from({ length: count }, (_, index) => seed + index);
  const folder = Deno.makeTempDirSync();
  let failures = 0;
  const failed = ({ message }: Error): void => {
    failures++;
    console.log(message);
  };
  try {
    const counts = await fuzz(folder, seeds, failed);
    console.log(`${count} programs, ${failures} failed: ${JSON.stringify(counts)}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  return failures === 0 ? 0 : 1;
}
