import type { SafeStorage } from 'electron';
import { describe, expect, it, vi } from 'vitest';
import { createLog } from '../../../main/base/log.ts';
import { windowFile } from '../../../main/hosts/window-files.ts';
import { isOwnUrl } from '../../../main/hosts/electron/channels.ts';
import { isOpenableLink } from '../../../main/hosts/electron/content-guard.ts';
import { isTrustedSender, type Sender } from '../../../main/hosts/electron/ipc.ts';
import { argumentsAgain, readOptions } from '../../../main/hosts/electron/options.ts';
import { keyringSecrets } from '../../../main/hosts/electron/secrets.ts';
import { fitToScreens } from '../../../main/hosts/electron/window-state.ts';

describe('the command line of a program that starts again', () => {
  it('is the one before: with its window, without what was opened then, and with what is the system’s', () => {
    const line = [
      '/opt/app',
      '--no-sandbox',
      '--profile',
      '/p',
      '--hidden',
      '--set',
      'a=b=c',
      'sip:ann@example.org',
    ];
    const again = ['--no-sandbox', '--profile=/p', '--set=a=b=c'];
    expect(argumentsAgain(line, false)).toEqual(['/opt/app', ...again]);
    expect(argumentsAgain(line.slice(1), true)).toEqual(again);
    expect(readOptions(again)).toMatchObject({ profile: '/p', set: ['a=b=c'], hidden: false, rest: [] });
  });
});

describe('callers over IPC', () => {
  const own = 'app://parley/index.html';
  function sender({ url = own, isMain = true, isGone = false } = {}) {
    const mainFrame = { url: isMain ? url : own };
    const contents = { mainFrame };
    const senderFrame = isGone ? null : isMain ? mainFrame : { url };
    const event = { sender: contents, senderFrame } as unknown as Sender;
    return { event, window: { contents: contents as never, host: 'parley' } };
  }

  it('are the main frame of our window with our page', () => {
    const { event, window } = sender();
    expect(isTrustedSender(event, window)).toBe(true);
    const reader = sender({ url: 'app://reading-1/index.html' });
    expect(isTrustedSender(reader.event, { ...reader.window, host: 'reading-1' })).toBe(true);
  });

  it.each([
    ['another origin', { url: 'https://example.com/' }],
    ['another host of our scheme', { url: 'app://elsewhere/index.html' }],
    ['the page of a window that only reads', { url: 'app://reading-1/index.html' }],
    ['our host in another scheme', { url: 'https://parley/index.html' }],
    ['a file', { url: 'file:///index.html' }],
    ['no address', { url: '' }],
    ['a frame inside of our page', { isMain: false }],
    ['a frame that has gone', { isGone: true }],
  ])('are never %s', (_name, options) => {
    const { event, window } = sender(options);
    expect(isTrustedSender(event, window)).toBe(false);
  });

  it('are never another window, and nobody while there is none', () => {
    expect(isTrustedSender(sender().event, sender().window)).toBe(false);
    expect(isTrustedSender(sender().event, undefined)).toBe(false);
  });
});

describe('addresses', () => {
  it('are our own by scheme and host, without a user', () => {
    expect(isOwnUrl('app://parley/assets/a.js')).toBe(true);
    for (const url of ['app://parley.example/', 'app://user@parley/', 'apps://parley/', 'about:blank', 'x']) {
      expect(isOwnUrl(url), url).toBe(false);
    }
  });

  it('lead to files inside of the folder only', () => {
    expect(windowFile('/out/renderer', '/')?.path).toBe('/out/renderer/index.html');
    expect(windowFile('/out/renderer', '/assets/a.js')?.path).toBe('/out/renderer/assets/a.js');
    for (const path of [
      '/../main.js',
      '/..%2fmain.js',
      '/%2e%2e/x.js',
      '/..%2frenderer-2/x.js',
      '/a%00.js',
      '/%E0%A4%A.js',
    ]) {
      expect(windowFile('/out/renderer', path), path).toBeUndefined();
    }
  });

  it('go to the system browser when they are https and hide nothing', () => {
    expect(isOpenableLink('https://example.com/a?b#c')).toBe(true);
    for (const url of [
      'http://example.com/',
      'https://user:pw@example.com/',
      'javascript:alert(1)',
      'file:///etc/passwd',
      'smb://host/share',
      'ms-msdt:/id',
      'no address',
      `https://example.com/${'x'.repeat(2_000)}`,
    ]) {
      expect(isOpenableLink(url), url).toBe(false);
    }
  });
});

describe('the remembered window', () => {
  const screens = [{ x: 0, y: 0, width: 1_920, height: 1_080 }];
  const look = { maximized: false, zoomLevel: 0, theme: 'system' } as const;
  const state = { x: 100, y: 50, width: 1_000, height: 700, ...look };

  it('returns to where it was while that screen is there', () => {
    expect(fitToScreens(state, screens)).toEqual(state);
    const { x: _x, y: _y, ...size } = state;
    expect(fitToScreens({ ...state, x: 3_000 }, screens)).toEqual(size);
    expect(fitToScreens({ ...state, y: -200 }, screens)).toEqual(size);
    expect(fitToScreens(state, [])).toEqual(size);
  });

  it('is never smaller than the layout needs', () => {
    expect(fitToScreens({ ...look, width: 10, height: 10, maximized: true }, screens)).toEqual({
      ...look,
      width: 720,
      height: 480,
      maximized: true,
    });
  });
});

describe('the keyring', () => {
  function storage(backend: string, available = true): SafeStorage {
    return {
      isEncryptionAvailable: () => available,
      getSelectedStorageBackend: () => backend,
      encryptString: (text: string) => Buffer.from(`(${text})`),
      decryptString: (bytes: Buffer) => bytes.toString().slice(1, -1),
    } as unknown as SafeStorage;
  }

  it('protects and says its name', () => {
    const sink = vi.fn();
    const log = createLog({ level: 'warn', sink });
    const secrets = keyringSecrets({ safeStorage: storage('kwallet6'), log, platform: 'linux' });
    expect(secrets.backend).toBe('kwallet6');
    expect(Buffer.from(secrets.protect('pw')).toString()).toBe('(pw)');
    expect(secrets.reveal(secrets.protect('pw'))).toBe('pw');
    expect(keyringSecrets({ safeStorage: storage(''), log, platform: 'darwin' }).backend).toBe('keychain');
    expect(keyringSecrets({ safeStorage: storage(''), log, platform: 'win32' }).backend).toBe('dpapi');
    expect(sink).not.toHaveBeenCalled();
  });

  it.each([
    ['basic_text', true],
    ['unknown', true],
    ['gnome_libsecret', false],
  ])(
    'is replaced by file permissions, with a warning, when it is %s and available is %s',
    (backend, available) => {
      const lines: string[] = [];
      const log = createLog({ level: 'warn', sink: (line) => lines.push(line) });
      const secrets = keyringSecrets({ safeStorage: storage(backend, available), log, platform: 'linux' });
      expect(secrets.backend).toBe('file-permissions');
      expect(lines.join()).toContain('keyring.missing');
    },
  );
});
