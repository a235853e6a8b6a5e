import { EventEmitter } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Menu, Notification, NotificationConstructorOptions, Tray } from 'electron';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../main/base/log.ts';
import { showBadge } from '../../../main/hosts/electron/badge.ts';
import { setLoginItem } from '../../../main/hosts/electron/login-item.ts';
import { Notifications } from '../../../main/hosts/electron/notifications.ts';
import { Shortcut } from '../../../main/hosts/electron/shortcut.ts';
import { TrayIcon } from '../../../main/hosts/electron/tray.ts';
import { wordsOf } from '../../../main/hosts/electron/words.ts';
import { zoomOf } from '../../../main/hosts/electron/zoom.ts';
import type { Announcement } from '../../../main/messenger/announcements.ts';
import { initialSettings, settingSpecs } from '../../../shared/settings.ts';
import * as v from 'valibot';

const words = wordsOf('en', 'en');

describe('announcements of the system', () => {
  class Shown extends EventEmitter {
    readonly options: NotificationConstructorOptions;
    closed = false;
    constructor(options: NotificationConstructorOptions) {
      super();
      this.options = options;
    }
    show(): void {
      shown.push(this);
    }
    close(): void {
      this.closed = true;
      this.emit('close');
    }
  }
  let shown: Shown[] = [];
  const opened: string[] = [];
  const replies: string[][] = [];
  function notifications({ text = true, hasReply = true } = {}): Notifications {
    shown = [];
    return new Notifications({
      create: (options) => new Shown(options) as unknown as Notification,
      isSupported: () => true,
      hasReply,
      words: () => words,
      showsText: () => text,
      open: (id) => opened.push(id),
      reply: (id, written) => replies.push([id, written]),
    });
  }
  const announcement = (id: string, text: string, count = 1, name = 'Tom'): Announcement =>
    ({ conversation: { id, peerName: name }, message: { text }, count }) as unknown as Announcement;

  it('show who has written and what, and open the conversation', () => {
    notifications().show(announcement('c1', 'Hello\n\nthere'));
    expect(shown[0]?.options.body).toBe('Hello there');
    expect(shown[0]?.options.title).toContain('Tom');
    shown[0]?.emit('click');
    expect(opened.at(-1)).toBe('c1');
  });

  it('show neither name nor text when that is the setting, and take no answer then', () => {
    notifications({ text: false }).show(announcement('c1', 'secret', 3));
    expect(shown[0]?.options).toEqual({ title: 'Parley', body: '3 new messages' });
  });

  it('are one for each conversation: a newer one takes the place of the one before', () => {
    const all = notifications();
    all.show(announcement('c1', 'one'));
    all.show(announcement('c1', 'two', 2));
    all.show(announcement('c2', 'other'));
    expect(shown.map(({ closed }) => closed)).toEqual([true, false, false]);
    expect(shown[1]?.options.body).toBe('2 new messages\ntwo');
    all.withdraw('c1' as never);
    expect(shown.map(({ closed }) => closed)).toEqual([true, true, false]);
    all[Symbol.dispose]();
    expect(shown.every(({ closed }) => closed)).toBe(true);
  });

  it('take an answer where the system has one, but not an empty one', () => {
    notifications().show(announcement('c1', 'one'));
    shown[0]?.emit('reply', { reply: 'on my way' });
    shown[0]?.emit('reply', {}, 'as before');
    shown[0]?.emit('reply', { reply: '  ' });
    expect(replies).toEqual([
      ['c1', 'on my way'],
      ['c1', 'as before'],
    ]);
    notifications({ hasReply: false }).show(announcement('c1', 'one'));
    expect(shown[0]?.options.hasReply).toBeUndefined();
  });

  it('name who has written in a group, and take no answer to what was written to us alone', () => {
    const all = notifications();
    const { conversation, message } = announcement('c1', 'Hello', 1, 'Sea trip');
    const person = { address: 'ana@example.org', name: 'Ana' };
    const show = (isPrivate: boolean) => {
      all.show({
        conversation,
        message: { ...message, group: { person, isPrivate, notice: null } },
        count: 1,
      });
      return shown.at(-1)?.options;
    };
    expect(show(false)).toMatchObject({ body: '\u2068Ana\u2069: Hello', hasReply: true });
    expect(show(true)?.hasReply).toBeUndefined();
  });

  it('are short, and a name does not turn what stands beside it', () => {
    notifications().show(announcement('c1', 'x'.repeat(100_000), 1, '\u202egnol '.repeat(1_000)));
    expect(shown[0]?.options.body).toHaveLength(250);
    const title = shown[0]?.options.title ?? '';
    expect(Array.from(title).length).toBeLessThanOrEqual(82);
    expect([title.at(0), title.at(-1)]).toEqual(['\u2068', '\u2069']);
  });
});

describe('the icon in the notification area', () => {
  it('is there while its setting says so, says how many are unread, opens and ends', () => {
    const seen: { tip?: string; menu?: { label?: string; click?: () => void }[]; gone?: boolean } = {};
    const done: string[] = [];
    class Icon extends EventEmitter {
      setToolTip(text: string): void {
        seen.tip = text;
      }
      setContextMenu(menu: unknown): void {
        seen.menu = menu as typeof seen.menu & object;
      }
      destroy(): void {
        seen.gone = true;
      }
    }
    const icon = new Icon();
    const tray = new TrayIcon({
      create: () => icon as unknown as Tray,
      buildMenu: ((template: object) => template) as unknown as typeof Menu.buildFromTemplate,
      open: () => done.push('open'),
      quit: () => done.push('quit'),
    });
    tray.apply({ wanted: false, words, unread: 3 });
    expect(tray.shown).toBe(false);
    tray.apply({ wanted: true, words, unread: 3 });
    expect([tray.shown, seen.tip]).toEqual([true, 'Parley: 3 unread']);
    icon.emit('click');
    for (const { label, click } of seen.menu ?? []) if (label !== 'Parley: 3 unread') click?.();
    expect(done).toEqual(['open', 'open', 'quit']);
    tray.apply({ wanted: false, words, unread: 0 });
    expect([tray.shown, seen.gone]).toEqual([false, true]);
  });
});

describe('the number on dock and taskbar', () => {
  it('is a number where there are numbers, a picture on Windows', () => {
    const seen: unknown[] = [];
    const options = {
      app: { setBadgeCount: (count = 0) => seen.push(count) > 0 },
      window: () => ({
        setOverlayIcon: (image: unknown, text: string) => void seen.push([image, text]),
        flashFrame: (on: boolean) => void seen.push(on),
      }),
      overlay: () => 'dot' as never,
    };
    showBadge(7, words, { ...options, platform: 'darwin' });
    showBadge(7, words, { ...options, platform: 'win32' });
    showBadge(0, words, { ...options, platform: 'win32' });
    expect(seen).toEqual([7, ['dot', 'Parley: 7 unread'], [null, ''], false]);
  });
});

describe('start at login', () => {
  it('is a file of the desktop on Linux, which goes again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-login-'));
    try {
      const options = {
        app: { setLoginItemSettings: () => expect.unreachable() },
        platform: 'linux' as const,
        program: '/opt/My "Programs" 100%/parley',
        configFolder: folder,
      };
      const path = join(folder, 'autostart', 'parley.desktop');
      await setLoginItem(true, options);
      await setLoginItem(true, options);
      expect(await readFile(path, 'utf8')).toContain('Exec="/opt/My \\"Programs\\" 100%%/parley" --hidden\n');
      await setLoginItem(false, options);
      await setLoginItem(false, options);
      await expect(readFile(path)).rejects.toThrow('ENOENT');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is a login item elsewhere', async () => {
    const seen: unknown[] = [];
    const app = { setLoginItemSettings: (settings: unknown) => void seen.push(settings) };
    await setLoginItem(true, { app, platform: 'win32', program: '', configFolder: '' });
    expect(seen).toEqual([{ openAtLogin: true, args: ['--hidden'] }]);
  });
});

describe('the keys that open the window from anywhere', () => {
  it('are taken, changed and given back; those of others are left to them', () => {
    const held = new Set<string>();
    const globalShortcut = {
      register: (keys: string) => {
        if (keys === 'Alt+X') return false;
        held.add(keys);
        return true;
      },
      unregister: (keys: string) => void held.delete(keys),
    };
    const shortcut = new Shortcut({ globalShortcut, open: () => undefined, log: silentLog });
    shortcut.apply('Control+Alt+P');
    expect([...held]).toEqual(['Control+Alt+P']);
    shortcut.apply('Alt+X');
    expect([...held]).toEqual([]);
    shortcut.apply('Alt+Y');
    shortcut[Symbol.dispose]();
    expect([...held]).toEqual([]);
  });

  it('are written as the system names them', () => {
    const { schema } = settingSpecs['desktop.shortcut'];
    for (const keys of ['', 'Control+Alt+P', 'CommandOrControl+Shift+F12', 'Super+Space']) {
      expect(v.safeParse(schema, keys).success, keys).toBe(true);
    }
    for (const keys of ['P', 'Control', 'Control+', 'Control+Alt+PP', 'Hyper+P', 'Control+F25']) {
      expect(v.safeParse(schema, keys).success, keys).toBe(false);
    }
    expect(initialSettings()['desktop.shortcut']).toBe('');
  });
});

describe('zoom by keys', () => {
  const press = (key: string, more = {}) => ({
    type: 'keyDown' as const,
    key,
    control: true,
    meta: false,
    alt: false,
    ...more,
  });
  it('goes up, down and back, within bounds', () => {
    expect(zoomOf(press('+'), 0, 'linux')).toBe(0.5);
    expect(zoomOf(press('='), 6, 'linux')).toBe(6);
    expect(zoomOf(press('-'), -4.5, 'linux')).toBe(-4.5);
    expect(zoomOf(press('0'), 3, 'linux')).toBe(0);
  });
  it('leaves every other key alone', () => {
    expect(zoomOf(press('a'), 0, 'linux')).toBeUndefined();
    expect(zoomOf(press('+', { control: false }), 0, 'linux')).toBeUndefined();
    expect(zoomOf(press('+', { alt: true }), 0, 'linux')).toBeUndefined();
    expect(zoomOf(press('+'), 0, 'darwin')).toBeUndefined();
    expect(zoomOf(press('+', { control: false, meta: true }), 0, 'darwin')).toBe(0.5);
  });
});

describe('words outside of the window', () => {
  it('are those of the setting, else of the system, else English', () => {
    expect(wordsOf('de', 'en-US').open).toBe('Parley öffnen');
    expect(wordsOf('system', 'zh-CN').reply).toBe('回复');
    expect(wordsOf('system', 'fi').open).toBe('Open Parley');
    expect(wordsOf('ar', 'en').newMessages(3)).toBe('3 رسائل جديدة');
  });
});
