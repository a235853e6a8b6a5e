/**
 * Owns: the MSRP figures as lines of the table, each beside its raw limit. Called by: ../main.ts. Calls: load.ts.
 */
import type { Figure } from '../summary.ts';
import { measureMsrp } from './load.ts';

/** All lines of MSRP. */
export async function measureMsrpFigures(): Promise<Figure[]> {
  const all = await measureMsrp();
  const { rawEcho, roundTrip, besideBulk, idle, parsing } = all;
  return [
    { name: 'raw: TCP, pieces of 64 KB', unit: 'MB/s', p50: all.rawMegabytes },
    {
      name: 'MSRP: one file, chunks of 64 KB',
      unit: 'MB/s',
      p50: all.megabytes,
      ratio: { of: 'raw TCP', value: all.bulkRatio },
    },
    { name: 'raw: TLS, pieces of 64 KB', unit: 'MB/s', p50: all.rawTlsMegabytes },
    {
      name: 'MSRP over TLS: the same',
      unit: 'MB/s',
      p50: all.tlsMegabytes,
      ratio: { of: 'raw TLS', value: all.tlsRatio },
    },
    { name: 'MSRP: 300 bytes, pipelined, each with its 200', unit: 'messages/s', p50: all.pipelined },
    { name: 'MSRP: sender, processor time for each of them', unit: 'µs', p50: all.pipelinedCpuUs },
    { name: 'raw: TCP echo of 300 bytes', unit: 'µs', p50: rawEcho.p50, p99: rawEcho.p99 },
    {
      name: 'MSRP: 300 bytes, one at a time',
      unit: 'µs',
      p50: roundTrip.p50,
      p99: roundTrip.p99,
      ratio: { of: 'raw echo', value: roundTrip.p50 / rawEcho.p50 },
    },
    { name: 'MSRP: 300 bytes beside a file', unit: 'µs', p50: besideBulk.p50, p99: besideBulk.p99 },
    { name: 'MSRP: that file meanwhile', unit: 'MB/s', p50: all.besideMegabytes },
    { name: 'MSRP: 10 000 idle sessions, heap of each', unit: 'bytes', p50: idle.bytes },
    { name: 'MSRP: the same, resident memory', unit: 'bytes', p50: idle.rss },
    { name: 'MSRP: 1 000 active sessions, most to least', unit: '×', p50: all.fairness },
    { name: 'MSRP: those together', unit: 'MB/s', p50: all.activeMegabytes },
    { name: 'MSRP parser alone, messages of 300 bytes', unit: 'messages/s', p50: parsing.small.messages },
    { name: 'MSRP parser alone, the same', unit: 'MB/s', p50: parsing.small.megabytes },
    { name: 'MSRP parser alone, chunks of 64 KB', unit: 'MB/s', p50: parsing.large.megabytes },
    { name: 'MSRP parser: allocated for a message', unit: 'bytes', p50: parsing.bytesPerMessage },
  ];
}
