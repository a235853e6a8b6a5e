/**
 * Owns: the look through what is read, in the background: an archive against its manifest and its chain, a history for
 * damage. Called by: reader.ts. Calls: archive-source.ts, verify.ts, store.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReadingCheck } from '../../../shared/domain/reading.ts';
import { Store } from '../../store/store.ts';
import { ArchiveSource } from '../history/archive-source.ts';
import { verifySource } from '../history/verify.ts';

export interface ReadingCheckOptions {
  readonly path: string;
  readonly key: Uint8Array | undefined;
  readonly isArchive: boolean;
  readonly signal: AbortSignal;
  readonly receiveProgress: (done: number, total: number) => void;
}

/** In a thread of its own: nobody who reads meanwhile waits. Rejects with the reason of the signal. */
export async function checkReading(
  options: ReadingCheckOptions,
): Promise<Pick<ReadingCheck, 'state' | 'problems'>> {
  const { path, key, isArchive, signal, receiveProgress } = options;
  if (!isArchive) {
    const damage = await findDamage(path, key);
    return damage === null ? { state: 'sound', problems: [] } : { state: 'broken', problems: [damage] };
  }
  await using source = await ArchiveSource.openWithKey(path, key);
  const problems = await verifySource(source, { signal, receiveProgress });
  return { state: problems.length === 0 ? 'whole' : 'broken', problems };
}

async function findDamage(path: string, key: Uint8Array | undefined): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-check-'));
  try {
    await using store = await Store.openArchive(path, { key, folder });
    return await store.call('selectDamage', null).catch((error: unknown) => String(error));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
