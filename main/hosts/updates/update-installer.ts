/**
 * Owns: what kind of package this program came in, whether it may replace itself, and how.
 * Called by: updates.ts, program.ts. Calls: node:fs, node:child_process.
 *
 * An AppImage is one file of its user; on Windows the installer is started, when the folder of the program is the user's.
 * Everything else belongs to the system: debs, rpms and MSIs come by its own way, and are only spoken of.
 */
import { spawn } from 'node:child_process';
import { access, chmod, constants, copyFile, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FeedFile } from './update-feed.ts';

/** What of the system decides. */
export interface Installation {
  readonly platform: NodeJS.Platform;
  /** Of the program that runs. */
  readonly execPath: string;
  /** The file that an AppImage was started from; undefined: it is none. */
  readonly appImage: string | undefined;
}

export interface Installer {
  readonly kind: FeedFile['kind'];
  /** After the program has closed everything. `again`: it is started anew. @throws what the system says */
  install(path: string, again: boolean): Promise<void>;
}

async function isOurs(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** Null: this program does not replace itself, because it is not its user's or came with the system. */
export async function findInstaller({
  platform,
  execPath,
  appImage,
}: Installation): Promise<Installer | null> {
  if (platform === 'linux' && appImage !== undefined) {
    const isAllowed = (await isOurs(appImage)) && (await isOurs(dirname(appImage)));
    return isAllowed ? { kind: 'AppImage', install: (path) => replaceFile(path, appImage) } : null;
  }
  if (platform === 'win32' && (await isOurs(dirname(execPath))))
    return { kind: 'nsis', install: runInstaller };
  return null;
}

/** At no moment is there half of a file. */
async function replaceFile(from: string, to: string): Promise<void> {
  const next = `${to}.next`;
  try {
    await copyFile(from, next);
    await chmod(next, 0o755);
    const handle = await open(next, 'r+');
    await handle.sync().finally(() => handle.close());
    await rename(next, to);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

function runInstaller(path: string, again: boolean): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(path, ['/S', '--updated', ...(again ? ['--force-run'] : [])], {
      detached: true,
      stdio: 'ignore',
    });
    child.once('error', failed);
    child.once('spawn', () => {
      child.unref();
      done();
    });
  });
}
