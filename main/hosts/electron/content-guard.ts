/**
 * Owns: what no page may do: navigate away, open windows, embed pages, load from the network, ask for permissions.
 * Called by: main.ts. Calls: Electron's events and handlers.
 */
import type { App, OnBeforeRequestListenerDetails, Session, Shell, WebContents } from 'electron';
import type { Log } from '../../base/log.ts';
import { isOwnUrl } from './channels.ts';

/** The one permission that the window needs: copying text when its user presses a button. */
const ALLOWED_PERMISSIONS: ReadonlySet<string> = new Set(['clipboard-sanitized-write']);

const MAX_URL_CHARS = 2_000;
const REMOTE = ['http://*/*', 'https://*/*', 'ws://*/*', 'wss://*/*', 'ftp://*/*', 'file://*/*'];

/** True for links that may go to the system's browser: https, and nothing hidden in them. */
export function isOpenableLink(url: string): boolean {
  if (url.length > MAX_URL_CHARS || !URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  return protocol === 'https:' && username === '' && password === '';
}

/** Guards every page that will ever be created, whoever creates it. */
export function guardContents(app: App, shell: Pick<Shell, 'openExternal'>, log: Log): void {
  const leave = (url: string): void => {
    if (!isOpenableLink(url)) {
      log.warn('page.left.refused', { url });
      return;
    }
    shell.openExternal(url).catch((error: unknown) => {
      log.warn('link.failed', { error });
    });
  };
  app.on('web-contents-created', (_event, contents: WebContents) => {
    contents.on('will-navigate', (details) => {
      details.preventDefault();
      leave(details.url);
    });
    contents.on('will-frame-navigate', (details) => {
      if (!details.isMainFrame) details.preventDefault();
    });
    contents.on('will-redirect', (details) => {
      details.preventDefault();
    });
    contents.on('will-attach-webview', (event) => {
      event.preventDefault();
    });
    contents.setWindowOpenHandler(({ url }) => {
      leave(url);
      return { action: 'deny' };
    });
  });
}

/**
 * Denies permissions, devices, downloads and everything that does not come from the program itself. `isOwn`: what Chromium
 * itself may ask an address of ours for.
 */
export function guardSession(
  session: Session,
  log: Log,
  isOwn: (request: OnBeforeRequestListenerDetails) => boolean,
): void {
  session.setPermissionRequestHandler((contents, permission, answer) => {
    const allowed = ALLOWED_PERMISSIONS.has(permission) && isOwnUrl(contents.getURL());
    if (!allowed) log.warn('permission.refused', { permission });
    answer(allowed);
  });
  session.setPermissionCheckHandler(
    (contents, permission) =>
      contents !== null && ALLOWED_PERMISSIONS.has(permission) && isOwnUrl(contents.getURL()),
  );
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event) => {
    event.preventDefault();
  });
  session.webRequest.onBeforeRequest({ urls: REMOTE }, (details, answer) => {
    if (isOwn(details)) {
      answer({});
      return;
    }
    log.warn('request.refused', { url: details.url });
    answer({ cancel: true });
  });
}
