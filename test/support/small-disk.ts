/**
 * Owns: a file system of a few megabytes that a test fills up. Called by: tests of full disks. Calls: mount, as root.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mounted while it is there. */
export class SmallDisk implements Disposable {
  /** Empty at first. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Throws where nothing may be mounted. */
  static mount(megabytes: number): SmallDisk {
    const folder = mkdtempSync(join(tmpdir(), 'parley-disk-'));
    try {
      const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder];
      execFileSync('mount', options, { stdio: 'pipe' });
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
    return new SmallDisk(folder);
  }

  /** Why none can be mounted, or `undefined`. */
  static missing(): string | undefined {
    try {
      SmallDisk.mount(1)[Symbol.dispose]();
      return undefined;
    } catch {
      return 'nothing can be mounted here (it needs root): a full disk is not tested';
    }
  }

  /** Not a byte is left, in a folder inside. */
  fill(place = '.'): void {
    const file = openSync(join(this.folder, place, 'ballast'), 'w');
    const block = Buffer.alloc(4_096);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  free(place = '.'): void {
    rmSync(join(this.folder, place, 'ballast'));
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['-l', this.folder], { stdio: 'pipe' });
    rmSync(this.folder, { recursive: true });
  }
}
