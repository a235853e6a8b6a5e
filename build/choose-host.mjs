/**
 * Owns: which of the three windows a start gets: Electron, an installed browser, or a link to open by hand.
 * Called by: start.mjs. Calls: nothing; what it looks at is handed in.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A failed fetch of Electron is not repeated before this. */
export const RETRY_AFTER_MS = 7 * 24 * 3_600_000;

const NAMES = {
  linux: [
    'chromium',
    'google-chrome',
    'google-chrome-stable',
    'chromium-browser',
    'microsoft-edge',
    'microsoft-edge-stable',
    'brave-browser',
  ],
  darwin: ['chromium', 'google-chrome'],
  win32: ['chrome.exe', 'msedge.exe'],
};

/**
 * Where browsers lie that can open a page as a window of its own, best first.
 * @param {string} platform
 * @param {NodeJS.ProcessEnv} env
 * @returns {string[]}
 */
export function browserPlaces(platform, env) {
  const names = NAMES[/** @type {keyof typeof NAMES} */ (platform)] ?? NAMES.linux;
  const folders = (env['PATH'] ?? env['Path'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const onPath = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  if (platform === 'darwin') {
    const apps = ['Google Chrome', 'Chromium', 'Microsoft Edge', 'Brave Browser'];
    const roots = ['/Applications', `${env['HOME'] ?? ''}/Applications`];
    return [
      ...apps.flatMap((app) => roots.map((root) => `${root}/${app}.app/Contents/MacOS/${app}`)),
      ...onPath,
    ];
  }
  if (platform === 'win32') {
    const roots = [env['ProgramFiles'], env['ProgramFiles(x86)'], env['LOCALAPPDATA']];
    const inside = [
      String.raw`Google\Chrome\Application\chrome.exe`,
      String.raw`Microsoft\Edge\Application\msedge.exe`,
      String.raw`Chromium\Application\chrome.exe`,
    ];
    return [
      ...inside.flatMap((path) => roots.flatMap((root) => (root ? [`${root}\\${path}`] : []))),
      ...onPath,
    ];
  }
  const usual = ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/google/chrome', '/opt/microsoft/msedge'];
  return [...onPath, ...names.flatMap((name) => usual.map((folder) => `${folder}/${name}`))];
}

/**
 * The first browser that is installed.
 * @param {string} [platform]
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findBrowser(platform = process.platform, env = process.env) {
  return browserPlaces(platform, env).find((path) => existsSync(path));
}

/**
 * A browser from a snap may write to its own folder only.
 * @param {string} path
 */
export function isSnap(path) {
  try {
    const real = realpathSync(path);
    if (real.includes('/snap')) return true;
    const start = readFileSync(real).subarray(0, 4_096);
    return start.subarray(0, 2).toString('latin1') === '#!' && start.includes('/snap/bin');
  } catch {
    return false;
  }
}

/**
 * Whether a window can appear at all.
 * @param {string} platform
 * @param {NodeJS.ProcessEnv} env
 */
export function hasDisplay(platform, env) {
  return platform === 'darwin' || platform === 'win32' || Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']);
}

/**
 * Whether fetching Electron is worth a try now.
 * @param {{ installed: boolean, failedAtMs: number | undefined, nowMs: number, retry: boolean }} state
 */
export function mayFetchElectron({ installed, failedAtMs, nowMs, retry }) {
  if (installed) return false;
  return retry || failedAtMs === undefined || nowMs - failedAtMs > RETRY_AFTER_MS || failedAtMs > nowMs;
}

/**
 * @typedef {{ host: 'electron' } | { host: 'browser', path: string } | { host: 'url', reason: string } | { error: string }} Choice
 */

/**
 * The host of this start. `wanted` comes from `--host`; without it the best one that is there.
 * @param {{ wanted: string | undefined, display: boolean, electron: boolean, browser: string | undefined }} state
 * @returns {Choice}
 */
export function chooseHost({ wanted, display, electron, browser }) {
  if (wanted !== undefined && !['electron', 'browser', 'url'].includes(wanted)) {
    return { error: `--host is one of electron, browser, url; "${wanted}" is none of them.` };
  }
  if (wanted === 'url') return { host: 'url', reason: '' };
  const noDisplay = 'There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set).';
  if (wanted === 'electron') {
    if (!display) return { error: `${noDisplay} Electron needs one; --host url does not.` };
    if (electron) return { host: 'electron' };
    return {
      error:
        'Electron is not there and could not be fetched. Try again with --retry-electron, or use --host browser.',
    };
  }
  if (wanted === 'browser') {
    if (!display) return { error: `${noDisplay} A browser window needs one; --host url does not.` };
    if (browser !== undefined) return { host: 'browser', path: browser };
    return { error: 'No Chromium, Chrome or Edge was found. Install one, or use --host url.' };
  }
  if (!display) return { host: 'url', reason: noDisplay };
  if (electron) return { host: 'electron' };
  if (browser !== undefined) return { host: 'browser', path: browser };
  return { host: 'url', reason: 'Neither Electron nor a Chromium, Chrome or Edge was found.' };
}
