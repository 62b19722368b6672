/**
 * From the library's description of a crash (smf_describe in native/crash/cause.c)
 * to an exception, and from its lines to frames.
 */

import { type CrashFrame, describeFrame } from "../../errors/crash.ts";
import { LoadError } from "../../errors/load_error.ts";

/**
 * Makes the exception for a crash.
 *
 * @param text The description: lines of parts with tabs between them.
 * @param path The module's path.
 * @param symbol The function that JavaScript called.
 */
export function crashError(text: string, path: string, symbol: string): LoadError {
  const [first, ...lines] = text.split("\n");
  const [cause, signal, address, next] = first.split("\t");
  const frames = framesOf(lines);
  const place = frames.find(({ version }) => version !== undefined);
  const where = place === undefined ? "" : `, in ${describeFrame(place)}`;
  return new LoadError("Crashed", `Native code has crashed: ${cause}${where}`, {
    path,
    symbol,
    signal,
    ...address !== "" && { address: BigInt(address) },
    frames,
    hint: next,
  });
}

/** The parts of a line for a frame. */
const PARTS = 8;

/** The frames that lines of a description are about. The last one is not whole if the description was too long. */
export function framesOf(lines: readonly string[]): CrashFrame[] {
  return lines.map((line) => line.split("\t")).filter(({ length }) => length === PARTS).map(frameOf);
}

function frameOf([name, offset, module, version, file, line, address, times]: readonly string[]): CrashFrame {
  return {
    function: name || undefined,
    offset: Number(offset),
    module: /^module '(.*)'$/.exec(module)?.[1] ?? module,
    version: version === "" ? undefined : Number(version),
    file: file || undefined,
    line: line === "" ? undefined : Number(line),
    address: BigInt(address),
    times: Number(times),
  };
}
