/**
 * Owns: the figures of the IM Server's relay as lines of the table, each beside its raw limit. Called by: ../main.ts.
 * Calls: load.ts.
 */
import type { Figure } from '../summary.ts';
import { measureRelay } from './load.ts';

/** All lines of the relay. */
export async function measureRelayFigures(): Promise<Figure[]> {
  const all = await measureRelay();
  return [
    { name: 'raw: TCP, pieces of 64 KB', unit: 'MB/s', p50: all.rawMegabytes },
    {
      name: 'relay: one file, sender to relay to receiver',
      unit: 'MB/s',
      p50: all.megabytes,
      ratio: { of: 'raw TCP', value: all.ratio },
    },
    {
      name: 'relay: the same, TLS on both sides',
      unit: 'MB/s',
      p50: all.tlsMegabytes,
      ratio: { of: 'raw TCP', value: all.tlsRatio },
    },
    { name: 'relay: 300 bytes, pipelined, each answered', unit: 'messages/s', p50: all.pipelined },
    {
      name: 'relay: 300 bytes, until its success report',
      unit: 'µs',
      p50: all.reported.p50,
      p99: all.reported.p99,
    },
    { name: 'relay: 1 000 sessions, heap of each', unit: 'bytes', p50: all.sessionBytes },
  ];
}
