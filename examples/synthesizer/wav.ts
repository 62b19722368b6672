/** Writes samples as a WAV file: one channel of 16 bits. */
export function wavFile(samples: Int16Array<ArrayBuffer>, rate: number): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(44 + samples.byteLength);
  const view = new DataView(file.buffer);
  const text = (at: number, text: string) => file.set(new TextEncoder().encode(text), at);
  text(0, "RIFF");
  view.setUint32(4, file.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format
  view.setUint16(20, 1, true); // not compressed
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes of a second
  view.setUint16(32, 2, true); // bytes of all channels of a sample
  view.setUint16(34, 16, true); // bits
  text(36, "data");
  view.setUint32(40, samples.byteLength, true);
  file.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), 44);
  return file;
}
