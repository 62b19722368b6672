/** Tries one static archive: links it whole and loads it in a child, and measures what `ld -shared` makes of it. */
import { runChild } from "../support/modules.ts";

/** How an archive fared. */
export interface Outcome {
  /** Bytes of the module; undefined if the linker refused the archive. */
  readonly linked?: number;
  readonly loaded: boolean;
  /** The names that no host library has; other packages define them. */
  readonly open: number;
  /** The first of them. */
  readonly names: readonly string[];
  /** The reason why the archive does not link or load, in one line. */
  readonly reason?: string;
  /** Bytes of the stripped shared library; undefined if ld makes none. */
  readonly shared?: number;
}

interface Step {
  readonly linked?: number;
  readonly loaded?: boolean;
  readonly open?: number;
  readonly names?: readonly string[];
  readonly closed?: boolean;
  readonly refused?: string;
  readonly reason?: string;
}

/** Tries an archive within a time limit, in milliseconds. `siblings` answer the names that it leaves open. */
export async function tryArchive(
  archive: string,
  siblings: readonly string[],
  folder: string,
  timeout: number,
): Promise<Outcome> {
  const child = await runChild(new URL("./child.ts", import.meta.url), {
    args: [archive, ...siblings],
    // Such as jemalloc, whose variables of threads need more than glibc sets aside by default.
    env: { GLIBC_TUNABLES: "glibc.rtld.optional_static_tls=8192" },
    timeout,
  });
  const steps = child.stdout.split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Step);
  const all: Step = Object.assign({}, ...steps);
  const shared = await sizeOfShared(archive, siblings, `${folder}/shared.so`);
  return {
    ...(all.linked === undefined ? {} : { linked: all.linked }),
    loaded: all.closed === true,
    open: all.open ?? 0,
    names: all.names ?? [],
    ...(all.closed === true ? {} : { reason: oneLine(all.reason ?? endOf(child, all, timeout)) }),
    ...(shared === undefined ? {} : { shared }),
  };
}

/** Says how a child ended that reported no error. */
function endOf(
  child: { code: number; signal: Deno.Signal | null; stderr: string },
  all: Step,
  timeout: number,
): string {
  const step = all.linked === undefined ? "linking" : all.loaded ? "closing" : "loading";
  if (child.signal === "SIGSEGV" && step === "loading" && all.names !== undefined) {
    return `its initialisers call what other packages define: ${all.names.join(", ")}`;
  }
  if (child.signal === "SIGKILL") return `killed during ${step} (limit ${timeout / 1000} s)`;
  if (child.signal !== null) return `died by ${child.signal} during ${step}`;
  return `exit status ${child.code} during ${step}: ${child.stderr.trim().split("\n").at(-1)}`;
}

/** The first line of a message, shortened. */
function oneLine(message: string): string {
  const line = message.split("\n").map((part) => part.trim()).filter((part) => part !== "").join(" ");
  return line.length <= 300 ? line : `${line.slice(0, 299)}…`;
}

/** The size of the stripped shared library of the same inputs; undefined if ld refuses them. */
async function sizeOfShared(
  archive: string,
  siblings: readonly string[],
  output: string,
): Promise<number | undefined> {
  const { success } = await new Deno.Command("ld", {
    args: [
      ...["-shared", "-s", "-z", "noexecstack", "-o", output, "--whole-archive", archive],
      ...["--no-whole-archive", "--start-group", ...siblings, "--end-group"],
    ],
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) return undefined;
  const { size } = Deno.statSync(output);
  Deno.removeSync(output);
  return size;
}
