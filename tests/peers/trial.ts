/**
 * Runs test scripts of a linker with `smf ld` in the linker's place.
 *
 * The scripts are those of mold's kind: each sources `common.inc` beside it, compiles with `$CC`, links with
 * `$CC -B.` or `./mold`, and starts programs through `$QEMU`. So a folder with programs `ld` and `mold`, and a
 * `$QEMU` that runs modules, make a script test this linker and this loader.
 */
import { basename, fromFileUrl, join } from "@std/path";

/** How `smf ld` begins the line on modules that were given as inputs. */
export const PROVIDERS_LINE = "smf ld: modules to load first: ";
/** What the name of the file ends with that `ld.ts` writes them to. */
export const PROVIDERS_FILE = ".providers";

/** How a script came out. */
export interface Outcome {
  readonly name: string;
  readonly kind: "passed" | "failed" | "skipped";
  /** Why it failed, as one of few kinds. */
  readonly reason?: string;
  /** The command that failed, and the last complaint, in one line. */
  readonly detail?: string;
}

/** A folder in which scripts run. */
export class PeerFolder {
  readonly #folder: string;

  /** @param folder An empty folder. @param scripts The folder of the scripts and their `common.inc`. */
  constructor(folder: string, scripts: string) {
    this.#folder = folder;
    const here = (name: string): string => fromFileUrl(new URL(name, import.meta.url));
    for (const [name, program] of [["ld", "ld.ts"], ["mold", "ld.ts"], ["run", "run.ts"]]) {
      const line = `exec '${Deno.execPath()}' run --allow-all --no-check '${here(program)}' "$@"`;
      Deno.writeTextFileSync(join(folder, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    }
    Deno.mkdirSync(join(folder, "test"));
    for (const { name } of Deno.readDirSync(scripts)) {
      if (!/\.(?:sh|inc)$/.test(name)) continue;
      const text = Deno.readTextFileSync(join(scripts, name));
      // Programs for this machine are started without an emulator: there stands what runs modules.
      const changed = name === "common.inc"
        ? text.replace(/^ *QEMU=$/m, `  QEMU=${join(folder, "run")}`)
        : text;
      Deno.writeTextFileSync(join(folder, "test", name), changed, { mode: 0o755 });
    }
  }

  /** The scripts, by name; those for another processor than x86-64 are left out. */
  scripts(): string[] {
    return [...Deno.readDirSync(join(this.#folder, "test"))].map(({ name }) => name)
      .filter((name) => name.endsWith(".sh") && !/^arch-(?!x86_64-)/.test(name)).toSorted();
  }

  /** Runs a script within a time limit, in milliseconds. */
  async run(script: string, timeout: number): Promise<Outcome> {
    const name = basename(script, ".sh");
    const output = await new Deno.Command("timeout", {
      args: ["-k", "5", String(timeout / 1000), "bash", `test/${script}`],
      cwd: this.#folder,
      stdin: "null",
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    const [stdout, stderr] = [decoder.decode(output.stdout), decoder.decode(output.stderr)];
    if (output.success) return { name, kind: /\bskipped\s*$/.test(stdout) ? "skipped" : "passed" };
    if (output.code === 124 || output.code === 137) {
      return { name, kind: "failed", reason: "takes too long", detail: `killed after ${timeout / 1000} s` };
    }
    return { name, kind: "failed", ...reasonOf(stdout, stderr) };
  }
}

/** Why a script failed: `stdout` ends with the command that did, and `stderr` is a trace of all. */
export function reasonOf(stdout: string, stderr: string): { reason: string; detail: string } {
  const command = /command failed: \d+: (.*)/.exec(stdout)?.[1] ?? "";
  const said = stderr.split("\n").filter((line) => line !== "");
  // Traces of what runs begin with +; what is said after the last of them is the failed command's.
  const from = said.findLastIndex((line) =>
    /^\+ (?:\S*cc|gcc|g\+\+|c\+\+|\.\/mold|\S*\/run|clang)\b/.test(line)
  );
  const recent = said.slice(Math.max(from, 0)).filter((line) => !line.startsWith("+"));
  const complaint = recent.find((line) => /^smf ld: (?:there is no option|.*Cannot |-)/.test(line)) ??
    recent.find((line) =>
      /^error|Cannot |^smf/.test(line) &&
      !/^smf ld: (?:ignored|left out|host|modules|not exported)/.test(line)
    ) ??
    recent.at(-1) ?? "";
  const option = /there is no option '([^']*)'/.exec(complaint)?.[1];
  const isLink = /-B ?\.|\.\/mold/.test(command);
  const reason = option !== undefined && isLink
    ? `no option ${option.replace(/=.*/, "=")}`
    : /Not an ELF file|file format not recognized/.test(complaint) ||
        /\b(?:readelf|objdump|objcopy|strip|nm|gdb|dwarfdump|file)\b|OBJDUMP|OBJCOPY|STRIP/.test(command)
    ? "looks at ELF output"
    : /cannot hold a part of an address/.test(complaint)
    ? "is compiled for fixed addresses"
    : isLink
    ? "does not link"
    : /QEMU|\$t\/exe|\/run\b/.test(command)
    ? "runs differently"
    : /\bgrep\b|\bdiff\b|\bcmp\b|\[/.test(command)
    ? "checks the output"
    : "other";
  const detail = `${command} | ${complaint}`;
  return { reason, detail: detail.length > 300 ? `${detail.slice(0, 299)}…` : detail };
}
