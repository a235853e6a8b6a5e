/**
 * Owns: what a disk may hold after the power went at some moment: whatever was forced to it, and of the rest any part,
 * down to half a write. Called by: store-crash.ts. Calls: nothing.
 */
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DiskStep } from './disk-trace.ts';

/** The unit that a disk writes as a whole. */
const SECTOR_BYTES = 512;

type Change = Extract<DiskStep, { kind: 'write' | 'truncate' }>;

interface DiskFile {
  durable: Buffer;
  /** Nothing of it is certain before the first sync. */
  isDurable: boolean;
  changes: Change[];
}

/** Which of the writes that were not forced have reached the disk. */
export type Fate = 'none' | 'all' | 'some' | 'torn';

function apply(bytes: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') {
    const next = Buffer.alloc(change.length);
    bytes.copy(next);
    return next;
  }
  const end = change.offset + change.bytes.length;
  const next = end > bytes.length ? Buffer.concat([bytes, Buffer.alloc(end - bytes.length)]) : bytes;
  change.bytes.copy(next, change.offset);
  return next;
}

/** The disk as it goes through `steps`. */
export class CrashDisk {
  readonly #files = new Map<string, DiskFile>();

  take(step: DiskStep): void {
    switch (step.kind) {
      case 'said':
        return;
      case 'unlink':
        this.#files.delete(step.path);
        return;
      case 'create':
        this.#file(step.path);
        return;
      case 'write':
      case 'truncate':
        this.#file(step.path).changes.push(step);
        return;
      case 'sync': {
        const file = this.#file(step.path);
        for (const change of file.changes) file.durable = apply(file.durable, change);
        file.changes = [];
        file.isDurable = true;
      }
    }
  }

  /** Writes into `folder` what is there when the power goes now. `random`: uniform in [0, 1). */
  async writeTo(folder: string, fate: Fate, random: () => number): Promise<void> {
    for (const [path, file] of this.#files) {
      if (!file.isDurable && (file.changes.length === 0 || fate === 'none')) continue;
      let bytes: Buffer = Buffer.from(file.durable);
      for (const change of file.changes) {
        const kept = reached(change, fate, random);
        if (kept !== undefined) bytes = apply(bytes, kept);
      }
      await writeFile(join(folder, basename(path)), bytes);
    }
  }

  #file(path: string): DiskFile {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const file: DiskFile = { durable: Buffer.alloc(0), isDurable: false, changes: [] };
    this.#files.set(path, file);
    return file;
  }
}

function reached(change: Change, fate: Fate, random: () => number): Change | undefined {
  if (fate === 'none') return undefined;
  if (fate === 'all') return change;
  if (random() < 0.5) return undefined;
  if (fate === 'some' || change.kind === 'truncate' || random() < 0.5) return change;
  // A write that was under way: some of its sectors, from the front.
  const sectors = Math.floor(random() * (change.bytes.length / SECTOR_BYTES));
  return { ...change, bytes: change.bytes.subarray(0, sectors * SECTOR_BYTES) };
}
