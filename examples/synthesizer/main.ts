/**
 * Plays an arpeggio on plucked strings of C, and writes it as a WAV file. For the last second other
 * code lays a hand on the strings while they ring: there is no gap and no click.
 *
 *     deno run --allow-ffi --allow-read --allow-write examples/synthesizer/main.ts
 *
 * An argument names the file; without one it is in the folder for temporary files.
 */

import { type Note, RATE, Synthesizer } from "./synthesizer.ts";
import { wavFile } from "./wav.ts";

/** Half-tones from the A of 440 Hz: C, E, G, C, E, and a C below all of them. */
const TONES = [-9, -5, -2, 3, 7, -21];

function compose(): Int16Array<ArrayBuffer> {
  using synthesizer = new Synthesizer();
  const notes: Note[] = TONES.map((tone, string) => ({ at: string * 0.25, string, tone }));
  const ringing = synthesizer.play(3, notes);
  synthesizer.touch("muted");
  const muted = synthesizer.play(1);
  return new Int16Array([...ringing, ...muted]);
}

try {
  const samples = compose();
  const file = Deno.args[0] ?? Deno.makeTempFileSync({ prefix: "strings_", suffix: ".wav" });
  Deno.writeFileSync(file, wavFile(samples, RATE));
  console.log(`${file}: ${samples.length / RATE} s, ${RATE} Hz, 16 bits`);
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.log(`The strings are not built for ${Deno.build.os}-${Deno.build.arch}`);
}
