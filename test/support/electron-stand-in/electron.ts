/**
 * Owns: a stand-in for the module `electron`: the unmodified main bundle and preload run on Node and Chromium with it.
 * Called by: register.ts, through module resolution. Calls: the other files of this folder.
 *
 * It is an emulation, and shows what our code does with Electron's answers, not what Electron does: the same specs
 * run on the real one wherever its binary is (`npm run e2e:electron`). It refuses insecure windows.
 */
import { app } from './application.ts';
import { BrowserWindow } from './browser-window.ts';
import { answerTests } from './control.ts';
import {
  clipboard,
  crashReporter,
  dialog,
  globalShortcut,
  ipcMain,
  Menu,
  nativeImage,
  net,
  Notification,
  powerMonitor,
  protocol,
  safeStorage,
  screen,
  session,
  shell,
  Tray,
} from './parts.ts';
import { nativeTheme } from './native-theme.ts';

export {
  app,
  BrowserWindow,
  clipboard,
  crashReporter,
  dialog,
  globalShortcut,
  ipcMain,
  Menu,
  nativeImage,
  nativeTheme,
  net,
  Notification,
  powerMonitor,
  protocol,
  safeStorage,
  screen,
  session,
  shell,
  Tray,
};

answerTests({
  app,
  BrowserWindow,
  clipboard,
  crashReporter,
  dialog,
  globalShortcut,
  ipcMain,
  Menu,
  nativeImage,
  nativeTheme,
  net,
  Notification,
  powerMonitor,
  protocol,
  safeStorage,
  screen,
  session,
  shell,
  Tray,
});
