// @vitest-environment node
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LinkState } from '../../../renderer/api/transport.ts';
import { socketAddress, WebSocketTransport } from '../../../renderer/api/websocket.ts';
import { ScriptedBackend } from '../../support/scripted-backend.ts';
import { eventually } from '../../support/eventually.ts';

async function serve(): Promise<{ server: ScriptedBackend; port: number; address: string }> {
  const server = new ScriptedBackend('talking');
  const page = new URL(await server.listen());
  onTestFinished(() => server.close());
  return { server, port: Number(page.port), address: socketAddress(page) };
}

function subscribe(transport: WebSocketTransport): { links: LinkState[]; events: string[] } {
  const links: LinkState[] = [];
  const events: string[] = [];
  onTestFinished(
    transport.subscribe({
      receiveEvent: ({ event }) => events.push(event),
      receiveLink: (state) => links.push(state),
    }),
  );
  return { links, events };
}

afterEach(() => vi.useRealTimers());

describe('WebSocketTransport', () => {
  it('goes to /ipc of the page, encrypted when the page is', () => {
    expect(socketAddress({ protocol: 'http:', host: 'localhost:4000' })).toBe('ws://localhost:4000/ipc');
    expect(socketAddress({ protocol: 'https:', host: 'parley.example' })).toBe('wss://parley.example/ipc');
  });

  it('carries calls that are made before the connection is up', async () => {
    const { address } = await serve();
    const transport = new WebSocketTransport(address);
    subscribe(transport);
    expect(await transport.invoke('app.info', {})).toMatchObject({ ok: true, value: { version: '0.1.0' } });
  });

  it('gives each answer to its own question', async () => {
    const { address } = await serve();
    const transport = new WebSocketTransport(address);
    subscribe(transport);
    const answers = await Promise.all([
      transport.invoke('account.list', {}),
      transport.invoke('no.such.call', {}),
      transport.invoke('app.info', {}),
    ]);
    expect(answers).toMatchObject([
      { ok: true, value: [{ address: 'bob@chat.home.arpa' }] },
      { ok: false, code: 'unknown-call' },
      { ok: true, value: { host: 'browser' } },
    ]);
  });

  it('answers `closed` while the host is gone, and comes back by itself', async () => {
    const { server, port, address } = await serve();
    const transport = new WebSocketTransport(address);
    const { links, events } = subscribe(transport);
    await eventually(() => expect(links.at(-1)).toBe('up'));
    await server.close();
    await eventually(() => expect(links).toContain('down'));
    expect(await transport.invoke('app.info', {})).toMatchObject({ ok: false, code: 'closed' });
    await server.listen(port);
    await eventually(() => expect(links.at(-1)).toBe('up'));
    expect(await transport.invoke('app.info', {})).toMatchObject({ ok: true });
    server.backend.publish('imserver.changed', { running: true });
    await eventually(() => expect(events.at(-1)).toBe('imserver.changed'));
  });

  it('answers `closed` to calls that were under way when the connection broke', async () => {
    const { server, address } = await serve();
    const transport = new WebSocketTransport(address);
    const { links } = subscribe(transport);
    await eventually(() => expect(links.at(-1)).toBe('up'));
    server.backend.hold = new Promise(() => undefined);
    const answer = transport.invoke('app.info', {});
    await eventually(() => expect(server.backend.calls).toHaveLength(1));
    await server.close();
    expect(await answer).toMatchObject({ ok: false, code: 'closed' });
  });
});
