import { describe, expect, it } from 'vitest';
import { ElectronTransport } from '../../../renderer/api/electron.ts';
import type { LinkState } from '../../../renderer/api/transport.ts';

describe('ElectronTransport', () => {
  it('is up at once, down when the bridge fails, and up again with the next answer', async () => {
    let broken = false;
    const transport = new ElectronTransport({
      invoke: () =>
        broken ? Promise.reject(new Error('no handler')) : Promise.resolve({ ok: true, value: 1 }),
      subscribe: () => () => undefined,
    });
    const links: LinkState[] = [];
    transport.subscribe({ receiveEvent: () => undefined, receiveLink: (state) => links.push(state) });
    broken = true;
    expect(await transport.invoke('app.info', {})).toMatchObject({ ok: false, code: 'closed' });
    broken = false;
    expect(await transport.invoke('app.info', {})).toEqual({ ok: true, value: 1 });
    expect(links).toEqual(['up', 'down', 'up']);
  });

  it('unsubscribes from the bridge', () => {
    let subscribed = false;
    const transport = new ElectronTransport({
      invoke: () => Promise.resolve({ ok: true, value: null }),
      subscribe: () => {
        subscribed = true;
        return () => (subscribed = false);
      },
    });
    const stop = transport.subscribe({ receiveEvent: () => undefined, receiveLink: () => undefined });
    expect(subscribed).toBe(true);
    stop();
    expect(subscribed).toBe(false);
  });
});
