/**
 * Networks as people have them: another one, none at first, a lost connection, an engine that goes away.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipEngine } from '../../main/sip/engine/engine.ts';
import { openPair, World } from '../support/im-world.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const statuses = (person: { events: { event: string; data: unknown }[] }) =>
  person.events
    .filter(({ event }) => event === 'account.changed')
    .map(({ data }) => (data as { account: { connection: { status: string } } }).account.connection);

describe('the network', () => {
  it('has changed: everything registers anew within two seconds (RFC 5626 §4.4), and messages go on', async () => {
    const { bob, ofBob, tom, ofTom } = await openPair(world);
    await bob.becomes(await bob.send(ofBob, 'before'), 'delivered');
    const before = world.received('REGISTER').length;
    const beganMs = performance.now();
    bob.messenger.receiveNetworkChange();
    await expect.poll(() => world.received('REGISTER').length, { timeout: 5_000 }).toBeGreaterThan(before);
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    await bob.becomes(await bob.send(ofBob, 'after'), 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['before', 'after']);
  });

  it('cannot be opened at first: the account says why, and comes online when it can', async () => {
    const bob = await world.openPerson('bob', { limits: { networkRetryFirstMs: 60_000 } });
    await bob.commands['settings.set']({ key: 'network.bindAddress', value: '192.0.2.77' });
    const account = await bob.addAccount(world.uri);
    expect(account.connection).toEqual({
      status: 'connecting',
      code: 'unreachable',
      reason: 'This computer does not have the address 192.0.2.77 now. Parley tries again by itself.',
    });
    expect(statuses(bob).at(-1)).toEqual(account.connection);
    // With another setting, or another network.
    await bob.commands['settings.set']({ key: 'network.bindAddress', value: '127.0.0.1' });
    await bob.online();
  });

  it('loses the connection to the server: registered anew at once, and the window sees it', async () => {
    const bob = await world.join('bob');
    await world.stopServer();
    await bob.until('said', async () => (await bob.account()).connection.status === 'connecting');
    const lost = statuses(bob).at(-1) as { reason?: string };
    expect(lost.reason).toContain('cannot be reached');
    await world.startServer();
    await bob.online();
  });
});

describe('an external SIP engine', () => {
  it('that is away at first, comes, goes and comes back: registered each time', async () => {
    const start = async (port: number) => {
      const engine = new SipEngine({ secret: 'shared' });
      await engine.listenBoth('127.0.0.1', 0);
      return { engine, port: (await engine.listenAdmin({ host: '127.0.0.1', port })).port };
    };
    const away = await start(0);
    await away.engine[Symbol.asyncDispose]();
    const bob = await world.openPerson('bob');
    await bob.commands['settings.set']({
      key: 'network.engine',
      value: { kind: 'drachtio', host: '127.0.0.1', port: away.port, secret: 'shared' },
    });
    const account = await bob.addAccount(world.uri);
    expect(account.connection.status).toBe('connecting');
    const first = await start(away.port);
    await bob.online();
    await first.engine[Symbol.asyncDispose]();
    await bob.until('lost', async () => {
      const { connection } = await bob.account();
      return connection.status === 'connecting' && connection.reason?.includes('engine') === true;
    });
    const second = await start(away.port);
    await bob.online();
    await bob[Symbol.asyncDispose]();
    await second.engine[Symbol.asyncDispose]();
  });
});
