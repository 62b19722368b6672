/** A picture of 320 by 200 pixels, and the file format that browsers show without any compression. */

export const WIDTH = 320;
export const HEIGHT = 200;

/** Discs in front of a sky: x, y, radius and colour as blue, green, red. */
const DISCS = [
  [230, 60, 38, 120, 220, 255],
  [60, 230, 120, 70, 120, 40],
  [250, 240, 140, 50, 90, 60],
  [130, 110, 26, 60, 60, 210],
  [155, 125, 18, 200, 160, 70],
] as const;

/** Paints the picture: a pixel is blue, green, red and 255, row by row from the top. */
export function paint(): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(4 * WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const disc = DISCS.findLast(([left, top, radius]) => Math.hypot(x - left, y - top) < radius);
      const colour = disc?.slice(3) ?? [255 - y / 3, 170 - y / 4, 90 + y / 2];
      pixels.set([...colour, 255], 4 * (y * WIDTH + x));
    }
  }
  return pixels;
}

/** Writes pixels as a bitmap file: a header of 14 bytes, one of 40, and the pixels as they are. */
export function bitmap(pixels: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(54 + pixels.length);
  const view = new DataView(file.buffer);
  file.set([0x42, 0x4d]); // "BM"
  view.setUint32(2, file.length, true);
  view.setUint32(10, 54, true); // where the pixels are
  view.setUint32(14, 40, true);
  view.setInt32(18, WIDTH, true);
  view.setInt32(22, -HEIGHT, true); // negative: the first row is the top one
  view.setUint16(26, 1, true);
  view.setUint16(28, 32, true); // bits of a pixel
  file.set(pixels, 54);
  return file;
}
