/**
 * The built desktop program, unmodified, on the real Electron and on the stand-in. The titles with numbers name the
 * points of Electron's security checklist.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTENT_SECURITY_POLICY } from '../../main/hosts/window-files.ts';
import { callInPage as call, electronHosts, ROOT, type ElectronDriver } from '../support/electron-driver.ts';

/** Long enough for a navigation to begin. */
const pause = () => new Promise((done) => setTimeout(done, 300));

for (const { name, missing, launch } of electronHosts) {
  if (missing !== undefined) console.log(`Skipped: the desktop program on ${name}: ${missing}.`);

  describe.skipIf(missing !== undefined)(`desktop program on ${name}`, () => {
    let profile: string;
    let driver: ElectronDriver;
    let exitCode: number | null | undefined;

    beforeAll(async () => {
      if (!existsSync(join(ROOT, 'out/hosts/electron/main.js')))
        throw new Error('Run "npm run build" first.');
      profile = await mkdtemp(join(tmpdir(), 'parley-electron-'));
      driver = await launch(profile);
      await driver.main(({ shell }) => {
        const opened: string[] = [];
        Object.assign(globalThis, { opened });
        shell.openExternal = (url) => {
          opened.push(url);
          return Promise.resolve();
        };
      }, null);
    });

    afterAll(async () => {
      if (exitCode === undefined) await driver.quit();
      await rm(profile, { recursive: true, force: true });
    });

    const opened = () =>
      driver.main(() => {
        const { opened } = globalThis as unknown as { opened: string[] };
        return opened.splice(0);
      }, null);

    it('shows the window with its page', async () => {
      await expect.poll(() => driver.page('document.querySelector("#app").childElementCount > 0')).toBe(true);
      const visible = () =>
        driver.main(
          ({ BrowserWindow }) => BrowserWindow.getAllWindows().map((window) => window.isVisible()),
          null,
        );
      // It is shown when it is ready to be, a moment after its page is there.
      await expect.poll(visible).toEqual([true]);
    });

    it('carries calls of the contract and refuses what is none', async () => {
      expect(await driver.page(call('app.info'))).toMatchObject({ ok: true, value: { host: 'electron' } });
      expect(await driver.page(call('no.such.call'))).toMatchObject({ ok: false, code: 'unknown-call' });
      expect(await driver.page(call('account.signIn', { accountId: 1 }))).toMatchObject({
        ok: false,
        code: 'invalid-input',
      });
    });

    it('carries events to the window until it unsubscribes', async () => {
      const contents = ({ BrowserWindow }: typeof import('electron')) => {
        const [window] = BrowserWindow.getAllWindows();
        window?.webContents.send('parley:event', { seq: 1, event: 'probe', data: {} });
      };
      await driver.page(
        'void (window.seen = [], window.stop = window.parley.subscribe((...args) => seen.push(args)))',
      );
      await driver.main(contents, null);
      await expect.poll(() => driver.page('seen')).toEqual([[{ seq: 1, event: 'probe', data: {} }]]);
      await driver.page('stop()');
      await driver.main(contents, null);
      await pause();
      expect(await driver.page('seen.length')).toBe(1);
    });

    it('hands a link of a second start to the window', async () => {
      await driver.page(
        "void (window.links = [], window.stop = window.parley.subscribe(({ event }) => event === 'link.opened' && links.push(event)))",
      );
      await driver.main(({ app }) => {
        app.emit('second-instance', {}, ['parley', '--flag', 'sip:ann@example.org'], '/');
      }, null);
      await expect.poll(() => driver.page('links')).toEqual(['link.opened']);
      await driver.page('stop()');
    });

    it('announces a message while nobody looks, counts it, and opens its conversation', async () => {
      await driver.main(({ BrowserWindow, Notification }) => {
        const notices: Electron.Notification[] = [];
        Object.assign(globalThis, { notices });
        Notification.prototype.show = function (this: Electron.Notification) {
          notices.push(this);
        };
        for (const window of BrowserWindow.getAllWindows()) window.blur();
      }, null);
      await driver.page(
        "void (window.shown = [], window.stop = window.parley.subscribe(({ event, data }) => event === 'conversation.shown' && shown.push(data.conversationId)))",
      );
      const account = await driver.page<{ value: { id: string } }>(call('demo.start'));
      const { value } = await driver.page<{ value: { id: string; accountId: string }[] }>(
        call('conversation.list'),
      );
      const conversation = value.find(({ accountId }) => accountId === account.value.id);
      await driver.page(call('message.send', { conversationId: conversation?.id, text: 'hello Tom' }));
      const notices = () =>
        driver.main(() => {
          const { notices } = globalThis as unknown as { notices: Electron.Notification[] };
          return notices.map(({ title }) => title);
        }, null);
      await expect.poll(async () => (await notices())[0]).toContain('Tom');
      await expect.poll(() => driver.main(({ app }) => app.getBadgeCount(), null)).toBeGreaterThan(0);
      await driver.main(() => {
        const { notices } = globalThis as unknown as { notices: Electron.Notification[] };
        notices[0]?.emit('click');
      }, null);
      await expect.poll(() => driver.page('shown')).toEqual([conversation?.id]);
      await driver.page('stop()');
    });

    it('1. loads nothing but its own content', async () => {
      const url = await driver.page<string>(
        `new Promise((blocked) => {
          addEventListener('securitypolicyviolation', (event) => blocked(event.blockedURI), { once: true });
          new Image().src = 'https://example.com/x.png';
        })`,
      );
      expect(url).toBe('https://example.com/x.png');
    });

    it('2. has no Node in the page', async () => {
      const types = await driver.page(
        '[typeof require, typeof process, typeof module, typeof Buffer, typeof global]',
      );
      expect(types).toEqual(Array.from({ length: 5 }, () => 'undefined'));
    });

    it('3. and 20. isolates the preload: the page sees three functions and cannot change them', async () => {
      expect(await driver.page('Object.keys(window.parley).sort()')).toEqual([
        'handIn',
        'invoke',
        'subscribe',
      ]);
      expect(
        await driver.page(
          '(() => { try { window.parley.invoke = 1 } catch {} return typeof window.parley.invoke })()',
        ),
      ).toBe('function');
      expect(await driver.page('typeof ipcRenderer + typeof contextBridge')).toBe('undefinedundefined');
    });

    it.each([
      ['4. sandboxes the page', 'sandbox', true],
      ['6. keeps the same-origin rules', 'webSecurity', true],
      ['8. loads no insecure content', 'allowRunningInsecureContent', false],
      ['9. has no experimental features', 'experimentalFeatures', false],
      ['10. has no Blink features of its own', 'enableBlinkFeatures', undefined],
      ['11. has no webview tag', 'webviewTag', false],
    ])('%s', async (_title, setting, expected) => {
      const settings = await driver.main(({ BrowserWindow }) => {
        const [window] = BrowserWindow.getAllWindows();
        // Not in Electron's types, and there all the same.
        const contents = window?.webContents as unknown as {
          getLastWebPreferences(): Record<string, unknown>;
        };
        return JSON.parse(JSON.stringify(contents.getLastWebPreferences())) as Record<string, unknown>;
      }, null);
      // What Electron leaves out is off.
      expect(settings[setting] || (expected === false ? false : settings[setting])).toBe(expected);
    });

    it('5. denies every permission that a page may ask for', async () => {
      const states = await driver.page(
        `Promise.all(['geolocation', 'notifications', 'camera', 'microphone', 'midi', 'clipboard-read']
          .map((name) => navigator.permissions.query({ name }).then(({ state }) => state)))`,
      );
      expect(states).toEqual(Array.from({ length: 6 }, () => 'denied'));
      const located = await driver.page(
        `new Promise((done) => navigator.geolocation.getCurrentPosition(() => done('located'), ({ code }) => done(code)))`,
      );
      expect(located).toBe(1);
    });

    it('7. sends the Content-Security-Policy of the browser host as a header', async () => {
      const policy = await driver.page(
        "fetch('index.html').then(({ headers }) => headers.get('content-security-policy'))",
      );
      expect(policy).toBe(CONTENT_SECURITY_POLICY);
      const ran = await driver.page(
        `(() => { const s = document.createElement('script'); s.textContent = 'window.injected = true'; document.head.append(s); return window.injected === true; })()`,
      );
      expect(ran).toBe(false);
    });

    it('12. attaches no webview', async () => {
      const prevented = await driver.main(({ BrowserWindow }) => {
        let count = 0;
        const preventDefault = () => (count += 1);
        BrowserWindow.getAllWindows()[0]?.webContents.emit('will-attach-webview', { preventDefault }, {}, {});
        return count;
      }, null);
      expect(prevented).toBe(1);
    });

    it('13. navigates nowhere; https links go to the system browser', async () => {
      const before = await driver.page<string>('location.href');
      for (const url of ['https://example.com/page', 'http://example.com/', 'file:///etc/passwd']) {
        await driver.page(`void (location.href = ${JSON.stringify(url)})`).catch(() => undefined);
        await pause();
        expect(await driver.page('location.href')).toBe(before);
      }
      expect(await opened()).toEqual(['https://example.com/page']);
    });

    it('14. opens no windows', async () => {
      await driver.page("void window.open('https://example.com/popup')");
      await pause();
      expect(await driver.main(({ BrowserWindow }) => BrowserWindow.getAllWindows().length, null)).toBe(1);
      expect(await opened()).toEqual(['https://example.com/popup']);
    });

    it('15. hands nothing but plain https links to the system', async () => {
      for (const url of ['http://example.com/', 'https://user:pw@example.com/', 'smb://example.com/share']) {
        await driver.page(`void window.open(${JSON.stringify(url)})`);
        await pause();
      }
      expect(await opened()).toEqual([]);
    });

    it('16. carries one exact version of Electron, not a range', async () => {
      const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
        devDependencies: Record<string, string>;
      };
      expect(manifest.devDependencies['electron']).toMatch(/^\d+\.\d+\.\d+$/);
    });

    it('17. answers no call from another window, even one with the preload', async () => {
      const answer = await driver.main(
        async ({ BrowserWindow }, { preload, code }) => {
          const other = new BrowserWindow({ show: false, webPreferences: { preload } });
          try {
            await other.loadURL('app://parley/index.html');
            return (await other.webContents.executeJavaScript(code)) as unknown;
          } finally {
            other.destroy();
          }
        },
        { preload: join(ROOT, 'out/hosts/electron/preload.cjs'), code: call('app.info') },
      );
      expect(answer).toContain('refused: ');
      expect(await driver.page(call('app.info'))).toMatchObject({ ok: true });
    });

    it('18. serves its own folder over its own scheme, and nothing else of the disk', async () => {
      for (const path of [
        '/..%2f..%2fpackage.json',
        '/%2e%2e%2f%2e%2e%2fpackage.json',
        '/%00',
        '/%E0%A4%A',
        '/index.html%5c..',
      ]) {
        expect(await driver.page(`fetch(${JSON.stringify(path)}).then(({ status }) => status)`), path).toBe(
          404,
        );
      }
      expect(await driver.page("fetch('/index.html', { method: 'POST' }).then(({ status }) => status)")).toBe(
        405,
      );
    });

    it('19. sets every fuse on purpose', async () => {
      const builder = await readFile(join(ROOT, 'electron-builder.yml'), 'utf8');
      for (const fuse of [
        'runAsNode: false',
        'enableCookieEncryption: true',
        'enableNodeOptionsEnvironmentVariable: false',
        'enableNodeCliInspectArguments: false',
        'enableEmbeddedAsarIntegrityValidation: true',
        'onlyLoadAppFromAsar: true',
        'loadBrowserProcessSpecificV8Snapshot: false',
        'grantFileProtocolExtraPrivileges: false',
      ]) {
        expect(builder).toContain(fuse);
      }
    });

    it('takes in files that the page hands in, and nothing that is none', async () => {
      const text = 'handed in – 你好'.repeat(10_000);
      const bytes = Buffer.from(text, 'utf8');
      const handIn = (file: string) =>
        driver.page<string>(`window.parley.handIn(${file}).catch((error) => 'refused: ' + error.message)`);
      const id = await handIn(
        `new File([${JSON.stringify('handed in – 你好')}.repeat(10_000)], '../../note.txt', { type: 'text/plain' })`,
      );
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      const folder = join(profile, 'files');
      const [kept = ''] = await readdir(folder);
      expect(kept).toMatch(/^[^/]*note\.txt$/);
      expect((await readFile(join(folder, kept))).equals(bytes)).toBe(true);
      for (const nothing of ['"/etc/passwd"', '{ path: "/etc/passwd", type: "text/plain" }', 'undefined']) {
        expect(await handIn(nothing)).toMatch(/^refused: /);
      }
      expect(await readdir(folder)).toHaveLength(1);
      await rm(folder, { recursive: true });
    });

    it('closes the history before it ends', async () => {
      exitCode = await driver.quit();
      expect(exitCode).toBe(0);
      const files = await readdir(profile);
      // A database that was closed has no write-ahead log left.
      expect(files.filter((file) => file.endsWith('-wal'))).toEqual([]);
      expect(files).toContain('window.json');
      expect(existsSync(join(profile, 'instance.sock'))).toBe(false);
    });
  });
}
