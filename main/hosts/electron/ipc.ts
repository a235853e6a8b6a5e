/**
 * Owns: the contract over Electron's IPC: who may call, and to whom events go.
 * Called by: main.ts. Calls: api-server.ts.
 */
import type { IpcMain, IpcMainInvokeEvent, WebContents } from 'electron';
import type { Log } from '../../base/log.ts';
import type { Release } from '../../base/lifetime.ts';
import type { ApiServer } from '../api-server.ts';
import { EVENT_CHANNEL, INVOKE_CHANNEL, isOwnUrl } from './channels.ts';

/** What is looked at of a sender. */
export type Sender = Pick<IpcMainInvokeEvent, 'sender' | 'senderFrame'>;

/** Only the main frame of our own window, showing our own page, may call. */
export function isTrustedSender({ sender, senderFrame }: Sender, window: WebContents | undefined): boolean {
  return (
    window !== undefined &&
    sender === window &&
    senderFrame !== null &&
    senderFrame === sender.mainFrame &&
    isOwnUrl(senderFrame.url)
  );
}

/** Answers calls. `window` is the one that may call now. Returns the release. */
export function serveCalls(options: {
  ipcMain: IpcMain;
  api: ApiServer;
  log: Log;
  window: () => WebContents | undefined;
}): Release {
  const { ipcMain, api, log, window } = options;
  let lastId = 0;
  ipcMain.handle(INVOKE_CHANNEL, (event, call: unknown, input: unknown) => {
    if (!isTrustedSender(event, window())) {
      log.warn('ipc.refused', { url: event.senderFrame?.url });
      throw new Error('This page may not call Parley.');
    }
    lastId += 1;
    return api.receiveCall({ id: lastId, call, input });
  });
  return () => {
    ipcMain.removeHandler(INVOKE_CHANNEL);
  };
}

/** Sends the feed to a window for as long as it lives. */
export function pushEvents(contents: WebContents, api: ApiServer): void {
  const unsubscribe = api.subscribe((event) => {
    if (!contents.isDestroyed() && isOwnUrl(contents.getURL())) contents.send(EVENT_CHANNEL, event);
  });
  contents.once('destroyed', () => unsubscribe?.());
}
