/**
 * Owns: the folder of backups of a history: their names, which of them are kept, and which one is to be restored.
 * Called by: main/messenger/history-keeper.ts, worker.ts. Calls: node:fs.
 */
import { existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { copyFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** One backup. */
export interface Backup {
  /** `history-20260131-120000.sqlite`, in UTC. */
  readonly name: string;
  readonly madeAtMs: number;
  readonly bytes: number;
}

/** Beside the history. */
export const BACKUP_FOLDER = 'backups';

const NAME = /^history-(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})\.sqlite$/;
const DAY_MS = 86_400_000;

/** `20260131-120000`, in UTC: a time as it stands in the name of a file. */
export function fileStamp(time: Date): string {
  return time.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
}

export function backupNameAt(ms: number): string {
  return `history-${fileStamp(new Date(ms))}.sqlite`;
}

/** The backups in a folder, newest first. A folder that is not there has none. */
export function listBackups(folder: string): Backup[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .flatMap((name) => {
      const [year, month, day, hour, minute, second] = (NAME.exec(name)?.slice(1) ?? []).map(Number);
      if (year === undefined) return [];
      const madeAtMs = Date.UTC(year, (month ?? 1) - 1, day, hour, minute, second);
      return [{ name, madeAtMs, bytes: statSync(join(folder, name)).size }];
    })
    .sort((left, right) => right.madeAtMs - left.madeAtMs);
}

/**
 * Which backups may go: the newest of each of the last `daily` days that have one and of each of the last `weekly`
 * weeks stay.
 */
export function outdatedBackups(
  backups: readonly Backup[],
  keep: { readonly daily: number; readonly weekly: number },
): Backup[] {
  const newestFirst = backups.toSorted((left, right) => right.madeAtMs - left.madeAtMs);
  const kept = new Set<Backup>();
  const keepNewest = (count: number, periodOf: (ms: number) => number): void => {
    const periods = new Set<number>();
    for (const backup of newestFirst) {
      const period = periodOf(backup.madeAtMs);
      if (periods.has(period)) continue;
      if (periods.size >= count) return;
      periods.add(period);
      kept.add(backup);
    }
  };
  keepNewest(keep.daily, (ms) => Math.floor(ms / DAY_MS));
  // 1 January 1970 was a Thursday; weeks begin on Monday.
  keepNewest(keep.weekly, (ms) => Math.floor((ms / DAY_MS + 3) / 7));
  return newestFirst.filter((backup) => !kept.has(backup));
}

/** A history beside the one in use, which takes its place at the next start. */
export function restoreFileOf(path: string): string {
  return `${path}.restore`;
}

/** Chooses a backup for the next start. Rejects with the error of the system. */
export async function stageRestore(path: string, backup: string): Promise<void> {
  const staged = restoreFileOf(path);
  await rm(`${staged}.part`, { force: true });
  await copyFile(backup, `${staged}.part`);
  await rename(`${staged}.part`, staged);
}

/**
 * Puts the chosen backup in its place; the history that was in use is kept beside it. Returns its new name, undefined
 * when nothing was chosen.
 */
export function applyRestore(path: string, now: Date = new Date()): string | undefined {
  const staged = restoreFileOf(path);
  if (!existsSync(staged)) return undefined;
  const aside = `${path.replace(/\.sqlite$/, '')}-replaced-${fileStamp(now)}.sqlite`;
  for (const end of ['-wal', '-shm', '']) if (existsSync(path + end)) renameSync(path + end, aside + end);
  renameSync(staged, path);
  return aside;
}
