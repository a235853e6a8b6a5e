import { describe, expect, it, vi } from 'vitest';
import { Client } from '../../../renderer/api/client.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { MemoryBackend } from '../support/memory-backend.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { talkingWorld } from '../support/scenarios.ts';

function connect(): { client: Client; transport: MemoryTransport; resync: () => void } {
  const transport = new MemoryTransport(new MemoryBackend(talkingWorld()));
  const client = new Client(transport);
  const resync = vi.fn();
  client.onResync(resync);
  client.start();
  return { client, transport, resync };
}

describe('Client', () => {
  it('hands out the value of an answer', async () => {
    const { client } = connect();
    expect((await client.call('app.info', {})).version).toBe('0.1.0');
  });

  it('throws a refusal with its code', async () => {
    const { client } = connect();
    await expect(client.call('account.add', { address: 'nobody', password: 'x' })).rejects.toThrow(CallError);
    await expect(client.call('account.add', { address: 'nobody', password: 'x' })).rejects.toMatchObject({
      code: 'invalid-input',
    });
  });

  it('hands events to their handlers until they unsubscribe', () => {
    const { client, transport } = connect();
    const handler = vi.fn();
    const stop = client.on('imserver.changed', handler);
    transport.backend.publish('imserver.changed', { running: true });
    stop();
    transport.backend.publish('imserver.changed', { running: false });
    expect(handler.mock.calls).toEqual([[{ running: true }]]);
  });

  it('asks for everything to be read once connected', () => {
    const { resync } = connect();
    expect(resync).toHaveBeenCalledTimes(1);
  });

  it('asks for everything to be read anew when an event was missed, after that event has been handled', () => {
    const { client, transport, resync } = connect();
    const order: string[] = [];
    client.on('imserver.changed', () => order.push('event'));
    client.onResync(() => order.push('resync'));
    transport.backend.publish('imserver.changed', { running: true });
    expect(resync).toHaveBeenCalledTimes(1);
    transport.backend.skipEvent();
    transport.backend.publish('imserver.changed', { running: true });
    expect(resync).toHaveBeenCalledTimes(2);
    expect(order).toEqual(['event', 'event', 'resync']);
  });

  it('reads anew after a reconnect, and takes the numbers of the new connection as they come', () => {
    const { transport, resync } = connect();
    transport.backend.publish('imserver.changed', { running: true });
    transport.cut();
    transport.backend.skipEvent();
    transport.restore();
    expect(resync).toHaveBeenCalledTimes(2);
    transport.backend.publish('imserver.changed', { running: true });
    expect(resync).toHaveBeenCalledTimes(2);
  });
});
