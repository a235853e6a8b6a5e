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
/** The window of the messenger. Each window that only reads has a host, and with it an origin, of its own. */
export const APP_HOST = 'parley';
const READING_HOST = /^reading-\d{1,9}$/;

export function readingHost(number: number): string {
  return `reading-${number}`;
}

/** The address of the page of a window. */
export function pageOf(host: string): string {
  return `${APP_SCHEME}://${host}/index.html`;
}

/** The host of an address of ours; undefined for every other address. */
export function ownHost(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, host, username, password } = new URL(url);
  const isOurs = protocol === `${APP_SCHEME}:` && username === '' && password === '';
  return isOurs && (host === APP_HOST || READING_HOST.test(host)) ? host : undefined;
}

/** True for addresses inside the origin of a page of ours. */
export function isOwnUrl(url: string): boolean {
  return ownHost(url) !== undefined;
}
