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
      handIn: () => Promise.reject(new Error('no handler')),
    });
    const links: LinkState[] = [];
    transport.subscribe({ receiveEvent: () => undefined, receiveLink: (state) => links.push(state) });
    broken = true;
    expect(await transport.invoke('app.info', {})).toMatchObject({ ok: false, code: 'closed' });
    broken = false;
    expect(await transport.invoke('app.info', {})).toEqual({ ok: true, value: 1 });
    expect(links).toEqual(['up', 'down', 'up']);
  });

  it('carries what is reactive state: the bridge takes no proxy', async () => {
    const received: unknown[] = [];
    const transport = new ElectronTransport({
      invoke: (_call, input) => {
        // As Electron copies it; throws for a proxy.
        received.push(structuredClone(input));
        return Promise.resolve({ ok: true, value: null });
      },
      subscribe: () => () => undefined,
      handIn: () => Promise.resolve(''),
    });
    const users = new Proxy([{ user: 'bob' }], {});
    expect(await transport.invoke('imServer.start', { users, port: undefined })).toMatchObject({ ok: true });
    expect(received).toEqual([{ users: [{ user: 'bob' }] }]);
  });

  it('unsubscribes from the bridge', () => {
    let subscribed = false;
    const transport = new ElectronTransport({
      invoke: () => Promise.resolve({ ok: true, value: null }),
      subscribe: () => {
        subscribed = true;
        return () => (subscribed = false);
      },
      handIn: () => Promise.resolve(''),
    });
    const stop = transport.subscribe({ receiveEvent: () => undefined, receiveLink: () => undefined });
    expect(subscribed).toBe(true);
    stop();
    expect(subscribed).toBe(false);
  });

  it('hands a file in as it is, and one that was pasted under the name that it is given', async () => {
    const names: string[] = [];
    const transport = new ElectronTransport({
      invoke: () => Promise.resolve({ ok: true, value: null }),
      subscribe: () => () => undefined,
      handIn: (file) => {
        names.push(file.name);
        return file.size > 3 ? Promise.reject(new Error('too large')) : Promise.resolve('id');
      },
    });
    expect(await transport.handIn(new File(['abc'], 'a.txt'), 'a.txt')).toBe('id');
    expect(await transport.handIn(new File(['abc'], 'image.png'), '2026-01-01 10.00.00.png')).toBe('id');
    await expect(transport.handIn(new File(['abcd'], 'b.txt'), 'b.txt')).rejects.toMatchObject({
      code: 'not-allowed',
      message: 'too large',
    });
    expect(names).toEqual(['a.txt', '2026-01-01 10.00.00.png', 'b.txt']);
  });
});
