/**
 * The built desktop program with files on its command line, and with a history that has a passphrase.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportArchive } from '../../main/messenger/history/archive-export.ts';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { HistoryLock } from '../../main/messenger/history-lock.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { callInPage as call, electronHosts, type ElectronDriver } from '../support/electron-driver.ts';
import { openFilledHistory } from '../support/filled-history.ts';

for (const { name, missing, launch } of electronHosts) {
  if (missing !== undefined) console.log(`Skipped: files and a passphrase on ${name}: ${missing}.`);

  describe.skipIf(missing !== undefined)(`windows that only read on ${name}`, () => {
    let folder: string;
    let driver: ElectronDriver;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'parley-electron-'));
      for (const each of ['one', 'two']) {
        await mkdir(join(folder, each));
        await using store = await openFilledHistory(join(folder, each));
        const path = join(folder, `${each}.parley`);
        await exportArchive({ store, path, selection: { conversations: null }, program: 'test' });
      }
      driver = await launch(join(folder, 'profile'), [join(folder, 'one.parley')]);
    });

    afterAll(async () => {
      await driver.quit();
      await rm(folder, { recursive: true, force: true });
    });

    const addresses = () =>
      driver.main(
        ({ BrowserWindow }) => BrowserWindow.getAllWindows().map(({ webContents }) => webContents.getURL()),
        null,
      );
    /** In the page of that window. */
    const inWindow = <Result>(url: string, code: string) =>
      driver.main(
        ({ BrowserWindow }, [wanted, expression]) => {
          const window = BrowserWindow.getAllWindows().find((each) => each.webContents.getURL() === wanted);
          if (window === undefined) throw new Error(`no window ${wanted}`);
          return window.webContents.executeJavaScript(expression) as Promise<Result>;
        },
        [url, code] as const,
      );
    const start = (...words: string[]) =>
      driver.main(({ app }, argv) => {
        app.emit('second-instance', {}, ['parley', ...argv], '/');
      }, words);
    const [first, second] = ['app://reading-1/index.html', 'app://reading-2/index.html'] as const;

    it('a file on the command line opens one, and nothing of the profile', async () => {
      await expect.poll(addresses).toEqual([first]);
      await expect
        .poll(() => inWindow(first, call('reading.status')))
        .toMatchObject({ ok: true, value: { name: 'one.parley', check: { state: 'whole' } } });
      expect(await inWindow(first, call('settings.set', { key: 'history.hold', value: true }))).toMatchObject(
        {
          ok: false,
          code: 'read-only',
        },
      );
      expect(existsSync(join(folder, 'profile', 'history.sqlite'))).toBe(false);
    });

    it('a second start with a file opens another, with the same one none', async () => {
      await start(join(folder, 'two.parley'));
      await expect.poll(addresses).toEqual([first, second]);
      await start('--flag', join(folder, 'one.parley'));
      await expect
        .poll(() => inWindow(second, call('reading.status')))
        .toMatchObject({ value: { name: 'two.parley' } });
      expect(await addresses()).toEqual([first, second]);
    });

    it('files of messages come from the archive of the window that asks', async () => {
      const asked = (url: string) =>
        inWindow<number>(url, "fetch('/files/file').then(({ status }) => status)");
      // No picture: it is there, and is not shown.
      expect(await asked(first)).toBe(404);
      expect(await inWindow(first, call('conversation.list'))).toMatchObject({ ok: true });
    });

    it('a start without a file opens the messenger beside them', async () => {
      await start();
      await expect.poll(addresses).toEqual([first, second, 'app://parley/index.html']);
      await expect
        .poll(() => inWindow('app://parley/index.html', call('reading.status')))
        .toMatchObject({ ok: true, value: null });
      expect(existsSync(join(folder, 'profile', 'history.sqlite'))).toBe(true);
    });

    it('macOS hands files over in an event of its own', async () => {
      await driver.main(({ BrowserWindow }, wanted) => {
        BrowserWindow.getAllWindows()
          .find(({ webContents }) => webContents.getURL() === wanted)
          ?.close();
      }, second);
      await expect.poll(addresses).toEqual([first, 'app://parley/index.html']);
      await driver.main(
        ({ app }, file) => {
          app.emit('open-file', { preventDefault: () => undefined }, file);
        },
        join(folder, 'two.parley'),
      );
      await expect.poll(addresses).toEqual([first, 'app://parley/index.html', 'app://reading-3/index.html']);
    });
  });
}

for (const { name, missing, launch } of electronHosts) {
  it.skipIf(missing !== undefined)(
    `the window asks for the passphrase of the history on ${name}`,
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'parley-electron-'));
      const profile = join(folder, 'profile');
      const key = await openHistoryKey(await makeFolder(profile), filePermissionSecrets);
      await (await openFilledHistory(profile, key))[Symbol.asyncDispose]();
      const lock = new HistoryLock({
        ...{ profile, key, secrets: filePermissionSecrets },
        isRequired: () => false,
        receiveChange: () => undefined,
      });
      await lock.setPassphrase('correct horse battery');
      const driver = await launch(profile);
      try {
        await expect
          .poll(() => driver.page(call('opening.status')))
          .toMatchObject({ ok: true, value: { state: 'locked', what: 'profile' } });
        expect(await driver.page(call('conversation.list'))).toMatchObject({ ok: false, code: 'not-open' });
        expect(await driver.page(call('opening.unlock', { passphrase: 'wrong' }))).toMatchObject({
          ok: false,
          code: 'wrong-password',
        });
        expect(
          await driver.page(call('opening.unlock', { passphrase: 'correct horse battery' })),
        ).toMatchObject({
          ok: true,
        });
        await expect
          .poll(() => driver.page(call('conversation.list')))
          .toMatchObject({ ok: true, value: { length: 3 } });
        // The page has noticed it by itself.
        await expect.poll(() => driver.page("document.querySelectorAll('nav li button').length")).toBe(3);
      } finally {
        expect(await driver.quit()).toBe(0);
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
}

async function makeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}
