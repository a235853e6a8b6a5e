/**
 * Owns: the parts of Electron without a window: IPC's main side, protocol, session, keyring, dialogs.
 * Called by: electron.ts, web-contents.ts. Calls: chromium.ts.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { app } from './application.ts';
import { readClipboard, requestListeners, schemeHandlers } from './chromium.ts';
import { Spellchecker } from './spellchecker.ts';

type InvokeHandler = (event: object, ...args: unknown[]) => unknown;

const invokeHandlers = new Map<string, InvokeHandler>();
export const ipcMain = {
  handle(channel: string, handler: InvokeHandler): void {
    if (invokeHandlers.has(channel))
      throw new Error(`Attempted to register a second handler for '${channel}'`);
    invokeHandlers.set(channel, handler);
  },
  removeHandler(channel: string): void {
    invokeHandlers.delete(channel);
  },
  /** Of the stand-in itself: a message from a page. */
  async invoke(channel: string, event: object, args: readonly unknown[]): Promise<unknown> {
    const handler = invokeHandlers.get(channel);
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
    return structuredClone(await handler(event, ...args));
  },
};

export const privilegedSchemes: { scheme: string; privileges?: object }[] = [];
export const protocol = {
  registerSchemesAsPrivileged(schemes: { scheme: string; privileges?: object }[]): void {
    if (app.isReady()) throw new Error('protocol.registerSchemesAsPrivileged has to come before ready');
    privilegedSchemes.push(...schemes);
  },
  handle(scheme: string, handler: (request: Request) => Response | Promise<Response>): void {
    if (!privilegedSchemes.some((known) => known.scheme === scheme)) {
      throw new Error(`the scheme ${scheme} was not registered as privileged`);
    }
    schemeHandlers.set(scheme, handler);
  },
};

/** What the program decides about permissions; without handlers Electron grants them all. */
export const permissionHandlers: {
  request?: (contents: object, permission: string, answer: (granted: boolean) => void) => void;
  check?: (contents: object, permission: string) => boolean;
} = {};

class Session extends Spellchecker {
  readonly webRequest = {
    onBeforeRequest(
      { urls }: { urls: string[] },
      decide: (
        details: { url: string; webContentsId?: number },
        answer: (verdict: { cancel?: boolean }) => void,
      ) => void,
    ): void {
      requestListeners.push({ urls, decide });
    },
  };

  setPermissionRequestHandler(handler: NonNullable<typeof permissionHandlers.request>): void {
    permissionHandlers.request = handler;
  }

  setPermissionCheckHandler(handler: NonNullable<typeof permissionHandlers.check>): void {
    permissionHandlers.check = handler;
  }

  setDevicePermissionHandler(): void {
    // Chromium over CDP asks for no devices.
  }
}

export const session = { defaultSession: new Session() };
app.once('will-be-ready', () => {
  session.defaultSession.begin();
});

const key = Buffer.from(process.env['STAND_IN_KEYRING'] ?? randomBytes(32).toString('hex'), 'hex');
const IV_BYTES = 12;
const TAG_BYTES = 16;
export const safeStorage = {
  isEncryptionAvailable: () => true,
  getSelectedStorageBackend: () => 'gnome_libsecret',
  encryptString(text: string): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  },
  decryptString(bytes: Buffer): string {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  },
};

export const shell = {
  openExternal: (url: string) => Promise.reject(new Error(`not opened in tests: ${url}`)),
  /** Resolves with why it was not opened. */
  openPath: (path: string) => Promise.resolve(`not opened in tests: ${path}`),
  showItemInFolder: (): void => undefined,
};

export const dialog = {
  showErrorBox(title: string, content: string): void {
    process.stderr.write(`${title}: ${content}\n`);
  },
  /** Nobody is there to choose; a spec that is puts its own in this place. */
  showSaveDialog: () => Promise.resolve({ canceled: true, filePath: '' }),
  showOpenDialog: () => Promise.resolve({ canceled: true, filePaths: [] as string[] }),
};

/** That of the computer is Chromium's own here, which takes a moment to be read. */
export const clipboard = { readText: readClipboard };

/** Nobody sees menus; `shown` is the one that was opened last. */
export const Menu = {
  shown: undefined as { items: object[] } | undefined,
  buildFromTemplate: (template: object[]) => {
    const menu = {
      items: template,
      popup: () => {
        Menu.shown = menu;
      },
    };
    return menu;
  },
  setApplicationMenu: () => undefined,
};

/** The computer never sleeps, and is always in use. */
export const powerMonitor = Object.assign(new EventEmitter(), { getSystemIdleTime: () => 0 });

export const screen = {
  getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1_920, height: 1_080 } }],
};

/** Shows nothing; what would be shown is counted by who looks. */
export class Notification extends EventEmitter {
  readonly title: string;
  readonly body: string;

  constructor({ title = '', body = '' }: { title?: string; body?: string } = {}) {
    super();
    this.title = title;
    this.body = body;
  }

  static isSupported(): boolean {
    return true;
  }

  show(): void {
    this.emit('show');
  }

  close(): void {
    this.emit('close');
  }
}

export class Tray extends EventEmitter {
  /** Those that are there now. */
  static readonly shown = new Set<Tray>();
  toolTip = '';
  menu: object | undefined;

  constructor() {
    super();
    Tray.shown.add(this);
  }

  setToolTip(text: string): void {
    this.toolTip = text;
  }

  setContextMenu(menu: object): void {
    this.menu = menu;
  }

  destroy(): void {
    Tray.shown.delete(this);
  }
}

export const nativeImage = { createFromPath: (path: string) => ({ path }) };

export const globalShortcut = {
  register: () => true,
  unregister: () => undefined,
};

export const crashReporter = {
  /** What it was started with. */
  started: undefined as { uploadToServer?: boolean } | undefined,
  start(options: { uploadToServer?: boolean }): void {
    crashReporter.started = options;
  },
  getUploadToServer: () => crashReporter.started?.uploadToServer ?? true,
};

/** Without the proxies and authorities of a system. */
export const net = { fetch: (url: string, init?: RequestInit) => fetch(url, init) };
