/**
 * Owns: the contract over Electron's IPC: who may call, and to whom events go.
 * Called by: main.ts. Calls: api-server.ts.
 */
import type { IpcMain, IpcMainInvokeEvent, WebContents } from 'electron';
import type { Log } from '../../base/log.ts';
import type { Release } from '../../base/lifetime.ts';
import type { ApiServer } from '../api-server.ts';
import { EVENT_CHANNEL, INVOKE_CHANNEL, isOwnUrl, ownHost } from './channels.ts';

/** What is looked at of a sender. */
export type Sender = Pick<IpcMainInvokeEvent, 'sender' | 'senderFrame'>;

/** A window of ours and what is behind it. */
export interface CallingWindow {
  readonly contents: WebContents;
  /** The host of its page: that of no other window. */
  readonly host: string;
  readonly api: ApiServer;
}

/** Only the main frame of a window of ours, showing its own page, may call. */
export function isTrustedSender(
  { sender, senderFrame }: Sender,
  window: Pick<CallingWindow, 'contents' | 'host'> | undefined,
): boolean {
  return (
    window !== undefined &&
    sender === window.contents &&
    senderFrame !== null &&
    senderFrame === sender.mainFrame &&
    ownHost(senderFrame.url) === window.host
  );
}

/** Answers calls. `windows` are those that may call now. Returns the release. */
export function serveCalls(options: {
  ipcMain: IpcMain;
  log: Log;
  windows: () => readonly CallingWindow[];
}): Release {
  const { ipcMain, log, windows } = options;
  let lastId = 0;
  ipcMain.handle(INVOKE_CHANNEL, (event, call: unknown, input: unknown) => {
    const window = windows().find((each) => isTrustedSender(event, each));
    if (window === undefined) {
      log.warn('ipc.refused', { url: event.senderFrame?.url });
      throw new Error('This page may not call Parley.');
    }
    lastId += 1;
    return window.api.receiveCall({ id: lastId, call, input });
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
