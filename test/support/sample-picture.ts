/**
 * Owns: the pictures that people send each other in tests and in the gallery, drawn as they are asked for.
 * Called by: gallery/site.ts, scripted-backend.ts, browser specs. Calls: pngjs.
 */
import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';

type Colour = readonly [red: number, green: number, blue: number];
const sky: Colour = [158, 193, 207];
const sun: Colour = [250, 225, 160];
const far: Colour = [74, 116, 126];
const near: Colour = [38, 70, 83];
/** What claims to have more has no more than its head. */
const maxDrawnPixels = 4_000_000;

function colourAt(x: number, y: number): Colour {
  if (y > 0.78 + 0.06 * Math.sin(x * 5 + 1)) return near;
  if (y > 0.62 + 0.09 * Math.sin(x * 9)) return far;
  return Math.hypot(x - 0.7, y - 0.3) < 0.09 ? sun : sky;
}

/** The sea with the sun over it, as a PNG. */
export function samplePicture(width: number, height: number): Buffer {
  const isDrawn = width * height <= maxDrawnPixels;
  const picture = new PNG(isDrawn ? { width, height } : { width: 1, height: 1 });
  for (let at = 0; at < picture.data.length; at += 4) {
    const pixel = at / 4;
    const colour = colourAt((pixel % width) / width, Math.floor(pixel / width) / height);
    picture.data.set([...colour, 255], at);
  }
  const bytes = PNG.sync.write(picture);
  if (!isDrawn) {
    bytes.writeUInt32BE(width, 16);
    bytes.writeUInt32BE(height, 20);
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  }
  return bytes;
}

/** What a host answers for the picture of a message in the scenarios, of the size that its id says: `/files/picture-800x600?shown`. */
export function samplePictureAt(address: string): Buffer | undefined {
  const [, width, height] = /^\/files\/picture-(\d+)x(\d+)\?shown$/.exec(address) ?? [];
  return width === undefined || height === undefined
    ? undefined
    : samplePicture(Number(width), Number(height));
}
