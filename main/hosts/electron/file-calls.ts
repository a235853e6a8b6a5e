/**
 * Owns: files between desktop and messenger: what the window hands in, opening, showing in the folder, saving.
 * Called by: main.ts. Calls: messenger/transfers.ts, handed-in.ts, Electron's shell and dialogs.
 */
import { copyFile, writeFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { Readable } from 'node:stream';
import type { Dialog, IpcMain, OpenDialogOptions, Shell } from 'electron';
import * as v from 'valibot';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { Release } from '../../base/lifetime.ts';
import { IPC_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { FileDesktop } from '../../messenger/transfer-commands.ts';
import type { Transfers } from '../../messenger/transfers.ts';
import { keepHandedIn } from '../handed-in.ts';
import { HAND_IN_CHANNEL } from './channels.ts';
import { isTrustedSender, type CallingWindow } from './ipc.ts';

/** What the system runs instead of showing it: such a file is shown in its folder, and opened by nobody but its user. */
const PROGRAMS: ReadonlySet<string> = new Set(
  (
    'exe com bat cmd msi msix appx scr pif cpl hta jar js jse vbs vbe ws wsf wsh ps1 psm1 reg lnk url inf ' +
    'sh bash zsh command tool app dmg pkg desktop appimage run deb rpm flatpakref py rb pl php terminal workflow ' +
    'scpt iso img vhd vhdx chm gadget msc application settingcontent-ms library-ms search-ms'
  ).split(' '),
);

/** From the preload: a file by its place on the disk, which only the preload can tell, or what was only in memory. */
const handedInSchema = v.union([
  v.object({ path: v.pipe(v.string(), v.minLength(1), v.maxLength(32_767)), type: v.string() }),
  v.object({
    name: v.pipe(v.string(), v.maxLength(1_000)),
    type: v.string(),
    bytes: v.instance(Uint8Array),
  }),
]);

/** Takes in what the window hands in. Returns the release. */
export function serveHandedIn(options: {
  ipcMain: IpcMain;
  handedIn: () => Pick<Transfers, 'choose' | 'folder'> | undefined;
  log: Log;
  window: () => Pick<CallingWindow, 'contents' | 'host'> | undefined;
}): Release {
  const { ipcMain, handedIn, log, window } = options;
  ipcMain.handle(HAND_IN_CHANNEL, async (event, input: unknown) => {
    const parsed = v.safeParse(handedInSchema, input);
    if (!isTrustedSender(event, window()) || !parsed.success) {
      log.warn('hand-in.refused', { url: event.senderFrame?.url });
      throw new Error('This page may not hand files in.');
    }
    const file = parsed.output;
    const files = handedIn();
    if (files === undefined) throw new Error('The history is not open yet.');
    if ('path' in file) return files.choose({ ...file, name: basename(file.path) });
    if (file.bytes.length > IPC_LIMITS.maxHandedInMemoryBytes) throw new Error('This is too large to paste.');
    const path = await keepHandedIn(files.folder, file.name, Readable.from([Buffer.from(file.bytes)]));
    return files.choose({ path, name: file.name, type: file.type });
  });
  return () => {
    ipcMain.removeHandler(HAND_IN_CHANNEL);
  };
}

/** Files on a desktop. */
export function fileDesktop(
  shell: Pick<Shell, 'openPath' | 'showItemInFolder'>,
  dialog: Pick<Dialog, 'showSaveDialog' | 'showOpenDialog'>,
): FileDesktop {
  const ask = async (name: string): Promise<string | undefined> => {
    const { canceled, filePath } = await dialog.showSaveDialog({ defaultPath: name });
    return canceled ? undefined : filePath;
  };
  return {
    open: async (path) => {
      if (PROGRAMS.has(extname(path).slice(1).toLowerCase())) {
        throw new CallError('not-allowed', 'This file could be a program. Show it in its folder instead.');
      }
      const problem = await shell.openPath(path);
      if (problem !== '') throw new CallError('not-found', problem);
    },
    reveal: (path) => {
      shell.showItemInFolder(path);
      return Promise.resolve();
    },
    saveFile: async (path, name) => {
      const target = await ask(name);
      if (target !== undefined) await copyFile(path, target).catch(refuse);
    },
    saveText: async (text, name) => {
      const target = await ask(name);
      if (target !== undefined) await writeFile(target, text).catch(refuse);
    },
    chooseFolder: async (purpose) => {
      const properties: OpenDialogOptions['properties'] =
        purpose === 'export' ? ['openDirectory', 'createDirectory'] : ['openDirectory'];
      const { canceled, filePaths } = await dialog.showOpenDialog({ properties });
      return canceled ? undefined : filePaths[0];
    },
    chooseArchive: async () => {
      const filters = [
        { name: 'Parley', extensions: ['parley', 'sqlite'] },
        { name: '*', extensions: ['*'] },
      ];
      const { canceled, filePaths } = await dialog.showOpenDialog({ properties: ['openFile'], filters });
      return canceled ? undefined : filePaths[0];
    },
  };
}

function refuse(error: NodeJS.ErrnoException): never {
  if (error.code === 'ENOSPC')
    throw new CallError('disk-full', 'The disk is full. Make room, then try again.');
  throw new CallError('not-allowed', `It could not be saved there (${error.code ?? error.message}).`);
}
