/**
 * Owns: whether the system starts Parley when its user signs in to the computer.
 * Called by: desktop.ts, main.ts. Calls: Electron's login items; on Linux a file of the XDG autostart folder.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { App } from 'electron';

/** `--hidden`: without a window, when there is an icon to open it from. */
const HIDDEN = '--hidden';
const FILE = 'parley.desktop';

/** One argument of an Exec line (Desktop Entry Specification, "The Exec key"). */
function quoted(argument: string): string {
  return `"${argument.replace(/[\\"`$]/g, '\\$&').replace(/%/g, '%%')}"`;
}

function autostartEntry(program: string): string {
  return [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Parley',
    `Exec=${quoted(program)} ${HIDDEN}`,
    'Icon=parley',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n');
}

export interface LoginItemOptions {
  readonly app: Pick<App, 'setLoginItemSettings'>;
  readonly platform: NodeJS.Platform;
  /** The program that is to be started: an AppImage is started by its own file. */
  readonly program: string;
  /** `$XDG_CONFIG_HOME`, else `~/.config`. */
  readonly configFolder: string;
}

/** Has the system started the program by itself? Elsewhere than on macOS its command line says so. */
export function isStartedAtLogin(
  app: Pick<App, 'getLoginItemSettings'>,
  platform: NodeJS.Platform = process.platform,
): boolean {
  return platform === 'darwin' && app.getLoginItemSettings().wasOpenedAtLogin;
}

/** Makes it so. Rejects with the error of the operating system. */
export async function setLoginItem(wanted: boolean, options: LoginItemOptions): Promise<void> {
  const { app, platform, program, configFolder } = options;
  if (platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: wanted, args: [HIDDEN] });
    return;
  }
  const path = join(configFolder, 'autostart', FILE);
  if (!wanted) {
    await rm(path, { force: true });
    return;
  }
  const entry = autostartEntry(program);
  if ((await readFile(path, 'utf8').catch(() => '')) === entry) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, entry);
}
