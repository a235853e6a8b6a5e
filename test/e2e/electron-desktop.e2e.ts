/**
 * What the built desktop program keeps and shows outside of its page, on the stand-in: window, zoom, theme, notification
 * area, announcements, faults.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Menu, Notification, Tray } from 'electron';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  callInPage as call,
  launchStandIn,
  ROOT,
  startStandIn,
  type ElectronDriver,
} from '../support/electron-driver.ts';

describe('the desktop program on the stand-in (an emulation)', () => {
  let profile: string;
  let driver: ElectronDriver | undefined;

  beforeEach(async () => {
    if (!existsSync(join(ROOT, 'out/hosts/electron/main.js'))) throw new Error('Run "npm run build" first.');
    profile = await mkdtemp(join(tmpdir(), 'parley-desktop-'));
  });
  afterEach(async () => {
    await driver?.quit();
    driver = undefined;
    await rm(profile, { recursive: true, force: true });
  });

  async function start(...args: string[]): Promise<ElectronDriver> {
    driver = await launchStandIn(profile, args);
    await answered(driver, 'conversation.list');
    return driver;
  }
  async function quit(): Promise<number | null | undefined> {
    const code = await driver?.quit();
    driver = undefined;
    return code;
  }
  /** Once its page is there, and the profile open. */
  const answered = (running: ElectronDriver, name: string, input: unknown = {}) =>
    expect.poll(() => running.page(call(name, input)).catch(() => null)).toMatchObject({ ok: true });
  const set = (running: ElectronDriver, key: string, value: unknown) =>
    answered(running, 'settings.set', { key, value });
  const windows = (running: ElectronDriver) =>
    running.main(
      ({ BrowserWindow }) =>
        BrowserWindow.getAllWindows().map((window) => {
          const { options, backgroundColour } = window as unknown as {
            options: { x?: number; width: number; height: number };
            backgroundColour: string;
          };
          return {
            x: options.x ?? null,
            width: options.width,
            height: options.height,
            backgroundColour,
            isMaximized: window.isMaximized(),
            zoomLevel: Math.round(window.webContents.getZoomLevel() * 10) / 10,
          };
        }),
      null,
    );
  const remember = (state: object) => writeFile(join(profile, 'window.json'), JSON.stringify(state));
  const press = (running: ElectronDriver, key: string) =>
    running.main(({ BrowserWindow }, pressed) => {
      const input = { type: 'keyDown', key: pressed, control: true, meta: false, alt: false };
      BrowserWindow.getAllWindows()[0]?.webContents.emit(
        'before-input-event',
        { preventDefault: () => undefined },
        input,
      );
    }, key);

  it('comes back maximised, where its screen is still there', async () => {
    await remember({ x: 300, y: 100, width: 900, height: 600, maximized: true });
    const running = await start();
    await expect
      .poll(() => windows(running))
      .toMatchObject([{ x: 300, width: 900, height: 600, isMaximized: true }]);
  });

  it('comes back on a screen when its own has gone, and as it begins when its file is broken', async () => {
    await remember({ x: -4_000, y: 100, width: 900, height: 600 });
    expect(await windows(await start())).toMatchObject([{ x: null, width: 900, height: 600 }]);
    await quit();
    await writeFile(join(profile, 'window.json'), '{"width": "wide"');
    expect(await windows(await start())).toMatchObject([{ x: null, width: 1_240, height: 780 }]);
  });

  it('keeps how large everything is, within bounds', async () => {
    const running = await start();
    for (let n = 0; n < 8; n += 1) await press(running, '+');
    expect(await windows(running)).toMatchObject([{ zoomLevel: 4 }]);
    expect(await quit()).toBe(0);
    const again = await start();
    expect(await windows(again)).toMatchObject([{ zoomLevel: 4 }]);
    await press(again, '0');
    await quit();
    expect(await windows(await start())).toMatchObject([{ zoomLevel: 0 }]);
    await quit();
    await remember({ width: 900, height: 600, zoomLevel: 99 });
    expect(await windows(await start())).toMatchObject([{ zoomLevel: 0 }]);
  });

  it('follows the theme of the system while it runs, and of a setting from its first moment on', async () => {
    const running = await start();
    const ground = () => running.page<string>('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    const [{ backgroundColour } = { backgroundColour: '' }] = await windows(running);
    await running.main(({ nativeTheme }) => {
      (nativeTheme as unknown as { setSystemDark(isDark: boolean): void }).setSystemDark(true);
    }, null);
    await expect.poll(ground).not.toBe(light);
    const [dark] = await windows(running);
    expect(dark?.backgroundColour).not.toBe(backgroundColour);
    await set(running, 'appearance.theme', 'light');
    await expect.poll(ground).toBe(light);
    await expect.poll(() => windows(running)).toMatchObject([{ backgroundColour }]);
    await set(running, 'appearance.theme', 'dark');
    await expect.poll(async () => (await windows(running))[0]?.backgroundColour).toBe(dark?.backgroundColour);
    await quit();
    // The system of the next start is light again.
    driver = await launchStandIn(profile);
    expect(await windows(driver)).toMatchObject([{ backgroundColour: dark?.backgroundColour }]);
  });

  it('goes on in the notification area when its window is closed, and comes back from there', async () => {
    const running = await start();
    await set(running, 'desktop.tray', true);
    const trays = () =>
      running.main(({ Tray: trays }) => {
        const { shown } = trays as unknown as { shown: Set<Tray & { toolTip: string }> };
        return [...shown].map(({ toolTip }) => toolTip);
      }, null);
    await expect.poll(trays).toEqual(['Parley']);
    await running.main(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close(), null);
    await expect.poll(() => windows(running)).toEqual([]);
    await running.main(({ Tray: trays }) => {
      for (const tray of (trays as unknown as { shown: Set<Tray> }).shown) tray.emit('click');
    }, null);
    await expect.poll(async () => (await windows(running)).length).toBe(1);
    await set(running, 'desktop.tray', false);
    await expect.poll(trays).toEqual([]);
  });

  it('sends what is answered in an announcement', async () => {
    const running = await start();
    await running.main(({ Notification: shown }) => {
      const notices: Notification[] = [];
      Object.assign(globalThis, { notices });
      shown.prototype.show = function (this: Notification) {
        notices.push(this);
      };
    }, null);
    await running.page(call('demo.start'));
    const { value } = await running.page<{ value: { id: string }[] }>(call('conversation.list'));
    await running.page(call('message.send', { conversationId: value[0]?.id, text: 'hello Tom' }));
    const answer = () =>
      running.main(() => {
        const { notices } = globalThis as unknown as { notices: Notification[] };
        return notices[0]?.emit('reply', { reply: 'answered from outside' }) ?? false;
      }, null);
    await expect.poll(answer).toBe(true);
    const texts = async () => {
      const { value: page } = await running.page<{ value: { messages: { text: string }[] } }>(
        call('message.list', { conversationId: value[0]?.id, limit: 20 }),
      );
      return page.messages.map(({ text }) => text);
    };
    await expect.poll(texts).toContain('answered from outside');
  });

  it('offers how a word is spelled, and keeps one that is right', async () => {
    const running = await start();
    const labels = await running.main(({ BrowserWindow, Menu: menus }) => {
      const [window] = BrowserWindow.getAllWindows();
      window?.webContents.emit(
        'context-menu',
        {},
        {
          isEditable: true,
          selectionText: '',
          editFlags: { canCut: true, canCopy: true, canPaste: true, canSelectAll: true },
          misspelledWord: 'helo',
          dictionarySuggestions: ['hello', 'help'],
        },
      );
      const { shown } = menus as unknown as { shown: Menu };
      const items = shown.items as unknown as { label?: string; role?: string; click?: () => void }[];
      items[1]?.click?.();
      items[2]?.click?.();
      return items.map(({ label, role }) => label ?? role ?? '-');
    }, null);
    expect(labels).toEqual([
      ...['hello', 'help', 'Add to dictionary', '-'],
      ...['cut', 'copy', 'paste', '-', 'selectAll'],
    ]);
    const done = await running.main(({ BrowserWindow, session }) => {
      const { replaced } = BrowserWindow.getAllWindows()[0]?.webContents as unknown as { replaced: string[] };
      return [replaced, (session.defaultSession as unknown as { ownWords: string[] }).ownWords];
    }, null);
    expect(done).toEqual([['help'], ['helo']]);
  });

  it('keeps what is left of a crash here', async () => {
    const running = await start();
    const kept = await running.main(
      ({ app, crashReporter }) => [app.getPath('crashDumps'), crashReporter.getUploadToServer()],
      null,
    );
    expect(kept).toEqual([join(profile, 'crashes'), false]);
  });

  it.each([
    ['an error that nobody catches', "setImmediate(() => { throw new Error('a fault of ours') })"],
    ['a promise that nobody awaits', "void Promise.reject(new Error('a fault of ours'))"],
  ])('ends after %s, and has written down why', async (_name, code) => {
    const running = await start();
    await running.main((_electron, fault) => {
      return void (0, eval)(fault);
    }, code);
    expect(await quit()).toBe(1);
    const log = await readFile(join(profile, 'parley.log'), 'utf8');
    expect(log).toContain('program.fault');
    expect(log).toContain('a fault of ours');
    const after = await start();
    await answered(after, 'app.info');
  });

  it('starts without its window where there is another way to it', async () => {
    const running = await start();
    await set(running, 'desktop.tray', true);
    await quit();
    const hidden = startStandIn(profile, ['--hidden']);
    driver = hidden;
    const trays = () =>
      hidden.main(({ Tray: all }) => (all as unknown as { shown: Set<Tray> }).shown.size, null);
    await expect.poll(() => trays().catch(() => 0)).toBe(1);
    expect(await windows(hidden)).toEqual([]);
    await hidden.main(({ app }) => app.emit('second-instance', {}, ['parley'], '/'), null);
    await answered(hidden, 'app.info');
  });
});
