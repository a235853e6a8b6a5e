/**
 * Owns: the channels between main process and window, and the address of the window's page.
 * Called by: ipc.ts, file-calls.ts, preload.ts, app-protocol.ts, content-guard.ts, window.ts. Calls: nothing.
 */

/** Window → main: one call of the contract. */
export const INVOKE_CHANNEL = 'parley:invoke';
/** Main → window: one event of the feed. */
export const EVENT_CHANNEL = 'parley:event';

/** Window → main: a file that the user has chosen, by its path or its bytes. */
export const HAND_IN_CHANNEL = 'parley:hand-in';

export const APP_SCHEME = 'app';
const APP_HOST = 'parley';
export const APP_URL = `${APP_SCHEME}://${APP_HOST}/index.html`;

/** True for addresses inside our own page's origin. */
export function isOwnUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, host, username, password } = new URL(url);
  return protocol === `${APP_SCHEME}:` && host === APP_HOST && username === '' && password === '';
}
