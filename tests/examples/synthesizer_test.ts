// The synthesiser: strings are in tune, a reload lets them ring on, and the file is a WAV with the notes of the score.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { frequencyOf, RATE, Synthesizer } from "../../examples/synthesizer/synthesizer.ts";
import { TemporaryDirectory } from "../support/testing.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

const isBuilt = ((): boolean => {
  try {
    new Synthesizer()[Symbol.dispose]();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
})();

/** The power of a frequency in samples, by the filter of Goertzel (1958), with a window that keeps others out. */
function powerOf(frequency: number, samples: Int16Array): number {
  const turn = 2 * Math.cos(2 * Math.PI * frequency / RATE);
  let last = 0, before = 0;
  samples.forEach((sample, index) => {
    const window = 0.5 - 0.5 * Math.cos(2 * Math.PI * (index + 0.5) / samples.length);
    [last, before] = [window * sample + turn * last - before, last];
  });
  return (last * last + before * before - turn * last * before) / samples.length ** 2;
}

/** The frequency with the most power within half a half-tone of a tone; how far it is away, in hundredths of one. */
function centsOff(tone: number, samples: Int16Array): number {
  const cents = Array.from({ length: 25 }, (_, index) => 4 * (index - 12));
  const powers = cents.map((off) => powerOf(frequencyOf(tone + off / 100), samples));
  return cents[powers.indexOf(Math.max(...powers))];
}

const loudness = (samples: Int16Array): number =>
  Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);

Deno.test({
  name: "strings are in tune over four octaves",
  ignore: !isBuilt,
  fn() {
    for (const tone of [-24, -5, 0, 18, 24]) {
      using synthesizer = new Synthesizer();
      // Without the noise of the beginning.
      const samples = synthesizer.play(1, [{ at: 0, string: 0, tone }]).subarray(RATE / 10);
      assert(loudness(samples) > 50);
      assert(Math.abs(centsOff(tone, samples)) <= 4, `${tone}: ${centsOff(tone, samples)} cents`);
    }
  },
});

Deno.test({
  name: "a reload goes on with the strings as they are, and lets them fade by the new code",
  ignore: !isBuilt,
  fn() {
    const notes = [{ at: 0, string: 0, tone: -9 }, { at: 0.1, string: 1, tone: -2 }];
    using open = new Synthesizer();
    using touched = new Synthesizer();
    const [ringing, same] = [open, touched].map((each) => each.play(0.5, notes));
    assertEquals(ringing, same);
    touched.touch("muted");
    const [on, muted] = [open, touched].map((each) => each.play(0.5));
    // The next sample follows from the last one, as without a reload: what has been in the strings is there.
    assertEquals(muted[0], on[0]);
    assert(loudness(muted.subarray(0, 200)) > 0.8 * loudness(on.subarray(0, 200)));
    assert(loudness(muted.subarray(-2000)) < 0.1 * loudness(on.subarray(-2000)));
  },
});

Deno.test({
  name: "the program writes a WAV with the notes of its score",
  ignore: !isBuilt,
  async fn() {
    using folder = new TemporaryDirectory();
    const path = folder.join("strings.wav");
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "--allow-ffi", "--allow-read", "--allow-write"],
        ...["examples/synthesizer/main.ts", path],
      ],
      cwd: ROOT,
      stdin: "null",
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    assertMatch(new TextDecoder().decode(stdout), /strings\.wav: 4 s, 44100 Hz, 16 bits/);

    const file = Deno.readFileSync(path);
    const view = new DataView(file.buffer);
    const text = (at: number) => String.fromCharCode(...file.subarray(at, at + 4));
    assertEquals([0, 8, 12, 36].map(text), ["RIFF", "WAVE", "fmt ", "data"]);
    assertEquals([4, 16, 24, 28, 40].map((at) => view.getUint32(at, true)), [
      file.length - 8,
      16,
      44_100,
      88_200,
      file.length - 44,
    ]);
    assertEquals([20, 22, 32, 34].map((at) => view.getUint16(at, true)), [1, 1, 2, 16]);
    const samples = new Int16Array(file.buffer.slice(44));
    assertEquals(samples.length, 4 * RATE);

    // A tone every quarter of a second, which is not there before.
    const part = (index: number) => samples.subarray(index * RATE / 4, (index + 1) * RATE / 4);
    [-9, -5, -2, 3, 7].forEach((tone, index) => {
      const power = powerOf(frequencyOf(tone), part(index));
      assert(index === 0 || power > 5 * powerOf(frequencyOf(tone), part(index - 1)), `tone ${index}`);
      assert(power > 100, `tone ${index} has ${power}`);
    });
    // All ring on until a hand is laid on them, after three seconds.
    assert(loudness(part(11)) > 500);
    assert(loudness(part(15)) < 20);
  },
});
