/**
 * Owns: the number of unread messages on dock and taskbar. Called by: desktop.ts. Calls: Electron's app, BrowserWindow.
 */
import type { App, BrowserWindow, NativeImage } from 'electron';
import type { Words } from './words.ts';

export interface BadgeOptions {
  readonly app: Pick<App, 'setBadgeCount'>;
  readonly platform: NodeJS.Platform;
  readonly window: () => Pick<BrowserWindow, 'setOverlayIcon' | 'flashFrame'> | undefined;
  /** Windows shows a picture over the icon instead of a number. */
  readonly overlay: () => NativeImage;
}

/** Shows `unread`; 0 takes it away. */
export function showBadge(unread: number, words: Words, options: BadgeOptions): void {
  const { app, platform, window, overlay } = options;
  if (platform !== 'win32') {
    app.setBadgeCount(unread);
    return;
  }
  const described = unread > 0 ? words.unread(unread) : '';
  window()?.setOverlayIcon(unread > 0 ? overlay() : null, described);
  if (unread === 0) window()?.flashFrame(false);
}
