/**
 * Owns: the MSRP parser alone: bytes a second, and what it allocates for a message.
 * Called by: load.ts as a process with a large young generation, so that nothing is collected meanwhile.
 * Calls: main/msrp/parser.ts.
 */
import { MsrpParser } from '../../../main/msrp/parser.ts';

const READ_BYTES = 64 * 1024;
const SMALL_BYTES = 300;
const COUNTED = 4_000;
const SECONDS = 0.5;

/** A stream of SENDs as the wire has them, in pieces as a socket reads them. */
function stream(bodyBytes: number, count: number): Buffer[] {
  const frames = Array.from({ length: count }, (_, index) => {
    const id = `a1b2c3d4e5f6${String(index).padStart(4, '0')}`;
    return Buffer.concat([
      Buffer.from(
        `MSRP ${id} SEND\r\nTo-Path: msrp://127.0.0.1:2855/0123456789abcdef01234567;tcp\r\nFrom-Path: msrp://127.0.0.1:2856/fedcba987654321001234567;tcp\r\nMessage-ID: 0123456789abcdef${index}\r\nByte-Range: 1-${bodyBytes}/${bodyBytes}\r\nContent-Type: text/plain\r\n\r\n`,
      ),
      Buffer.alloc(bodyBytes, 'x'),
      Buffer.from(`\r\n-------${id}$\r\n`),
    ]);
  });
  const all = Buffer.concat(frames);
  const reads: Buffer[] = [];
  for (let at = 0; at < all.length; at += READ_BYTES) reads.push(all.subarray(at, at + READ_BYTES));
  return reads;
}

function parse(reads: readonly Buffer[]): number {
  const parser = new MsrpParser();
  let ends = 0;
  for (const bytes of reads) {
    for (const event of parser.push(bytes)) if (event.kind === 'end') ends++;
  }
  return ends;
}

function measureSpeed(reads: readonly Buffer[]): { megabytes: number; messages: number } {
  const size = reads.reduce((sum, { length }) => sum + length, 0);
  for (let round = 0; round < 3; round++) parse(reads);
  const began = performance.now();
  let ends = 0;
  let bytes = 0;
  while (performance.now() - began < SECONDS * 1_000) {
    ends += parse(reads);
    bytes += size;
  }
  const seconds = (performance.now() - began) / 1_000;
  return { megabytes: bytes / 1e6 / seconds, messages: ends / seconds };
}

function measureAllocation(reads: readonly Buffer[]): number {
  parse(reads);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const ends = parse(reads);
  return (process.memoryUsage().heapUsed - before) / ends;
}

/** What this process prints. */
export interface ParsingFigures {
  readonly small: { readonly megabytes: number; readonly messages: number };
  readonly large: { readonly megabytes: number; readonly messages: number };
  readonly bytesPerMessage: number;
}

const small = stream(SMALL_BYTES, COUNTED);
const figures: ParsingFigures = {
  small: measureSpeed(small),
  large: measureSpeed(stream(64 * 1024, 256)),
  bytesPerMessage: measureAllocation(small),
};
process.stdout.write(JSON.stringify(figures));
