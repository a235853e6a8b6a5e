/**
 * Owns: pictures with a palette as PNG files: a third of the size of those with three bytes for each pixel, which is all
 * that pngjs writes. Called by: photographer.ts. Calls: zlib. Format: PNG (Third Edition) §5 and §11.2.
 */
import { crc32, deflateSync } from 'node:zlib';
import type { PNG } from 'pngjs';

/** So many the palette of a PNG has. */
const MAX_COLOURS = 256;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const INDEXED = 3;

/** Squared distance of two colours, 0xrrggbb. */
function distance(one: number, other: number): number {
  return [16, 8, 0].reduce((sum, bits) => sum + (((one >> bits) & 255) - ((other >> bits) & 255)) ** 2, 0);
}

/** Leaves the most frequent 256 colours; the others, of edges of letters, become the nearest of them. */
export function reduceColours(picture: PNG): PNG {
  const { data } = picture;
  const counts = countColours(picture);
  const frequent = [...counts].sort(([a, more], [b, less]) => less - more || a - b).map(([colour]) => colour);
  const kept = frequent.slice(0, MAX_COLOURS);
  const nearest = new Map(
    frequent.map((colour, place) => [
      colour,
      place < MAX_COLOURS
        ? colour
        : kept.reduce((best, one) => (distance(one, colour) < distance(best, colour) ? one : best)),
    ]),
  );
  for (let at = 0; at < data.length; at += 4) {
    data.writeUIntBE(nearest.get(data.readUIntBE(at, 3)) ?? 0, at, 3);
  }
  return picture;
}

function countColours({ data }: PNG): Map<number, number> {
  const counts = new Map<number, number>();
  for (let at = 0; at < data.length; at += 4) {
    const colour = data.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  return counts;
}

function chunk(type: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const frame = Buffer.alloc(named.length + 8);
  frame.writeUInt32BE(content.length, 0);
  named.copy(frame, 4);
  frame.writeUInt32BE(crc32(named), frame.length - 4);
  return frame;
}

/** @throws {RangeError} when it has more colours than a palette. */
export function encodeIndexed(picture: PNG): Buffer {
  const { width, height, data } = picture;
  const places = new Map([...countColours(picture).keys()].map((colour, place) => [colour, place]));
  const palette = Buffer.alloc(places.size * 3);
  for (const [colour, place] of places) palette.writeUIntBE(colour, place * 3, 3);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, INDEXED], 8);
  // Before each line stands how it is filtered: not at all.
  const lines = Buffer.alloc((width + 1) * height);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const place = places.get(data.readUIntBE(pixel * 4, 3)) ?? 0;
    lines.writeUInt8(place, pixel + Math.floor(pixel / width) + 1);
  }
  const body = deflateSync(lines, { level: 9 });
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('PLTE', palette),
    chunk('IDAT', body),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
