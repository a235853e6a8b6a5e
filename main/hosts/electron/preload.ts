/**
 * Owns: the bridge `window.parley`: one call, one subscription, nothing of Electron.
 * Called by: renderer/api/electron.ts. Calls: ipc.ts, over two fixed channels.
 */
import { contextBridge, ipcRenderer, type IpcRendererEvent } from 'electron';
import { EVENT_CHANNEL, INVOKE_CHANNEL } from './channels.ts';

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
});
