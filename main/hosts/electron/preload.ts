/**
 * Owns: the bridge `window.parley`: one call, one subscription, files handed in; nothing of Electron.
 * Called by: renderer/api/electron.ts. Calls: ipc.ts and file-calls.ts, over fixed channels.
 */
import { contextBridge, ipcRenderer, webUtils, type IpcRendererEvent } from 'electron';
import { EVENT_CHANNEL, HAND_IN_CHANNEL, INVOKE_CHANNEL } from './channels.ts';

contextBridge.exposeInMainWorld('parley', {
  invoke: (call: unknown, input: unknown): Promise<unknown> =>
    ipcRenderer.invoke(INVOKE_CHANNEL, String(call), input),
  subscribe: (handler: (event: unknown) => void): (() => void) => {
    // The event object of Electron stays on this side: it leads to ipcRenderer.
    const receive = (_event: IpcRendererEvent, envelope: unknown): void => {
      handler(envelope);
    };
    ipcRenderer.on(EVENT_CHANNEL, receive);
    return () => {
      ipcRenderer.off(EVENT_CHANNEL, receive);
    };
  },
  // The page never names a path: only a file that its user has chosen has one, and only this side can read it.
  handIn: async (file: File): Promise<unknown> => {
    const path = webUtils.getPathForFile(file);
    const { name, type } = file;
    const handed =
      path === '' ? { name, type, bytes: new Uint8Array(await file.arrayBuffer()) } : { path, type };
    return ipcRenderer.invoke(HAND_IN_CHANNEL, handed);
  },
});
