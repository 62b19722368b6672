// What addr2line says of addresses.
import { compile } from "./compilers.ts";

/** Returns the frames of each address, functions that are inlined there included, as addr2line prints them. */
export async function addr2line(
  file: string,
  addresses: readonly number[],
  folder: string,
): Promise<string[]> {
  const hexadecimal = addresses.map((address) => address.toString(16));
  const text = await compile("addr2line", ["-a", "-f", "-i", "-e", file, ...hexadecimal], folder);
  return text.split(/^0x[0-9a-f]+\n/m).slice(1).map((frames) =>
    frames.replaceAll(/ \(discriminator \d+\)/g, "")
  );
}
