import { afterEach, describe, expect, it } from 'vitest';
import { DOMAIN, passwordOf, World } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';
import { eventually } from '../support/eventually.ts';

const MANY = 3;

describe('wrong passwords behind a proxy', () => {
  let world: World | undefined;
  afterEach(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  /** Registers with each password as somebody at `address`, according to the proxy. Returns the statuses. */
  async function register(address: string, ...passwords: string[]): Promise<number[]> {
    const statuses = [];
    for (const password of passwords) {
      await using device = await RawDevice.open('tom', world?.port ?? 0);
      const headers = [`X-Client-Address: sip:${address}:40000;transport=tcp`];
      statuses.push((await device.register({ password, headers })).status);
    }
    return statuses;
  }

  const wrong = Array.from({ length: MANY }, () => 'wrong');
  const right = passwordOf('tom');

  it('of a front that is trusted: they count at the address that it names, and the user is let in from another', async () => {
    world = await World.open(['tom'], {
      limits: { maxWrongPasswords: MANY },
      trustedFronts: ['127.0.0.1'],
    });
    await register('192.0.2.7', ...wrong);
    expect(await register('192.0.2.7', right)).toEqual([403]);
    expect(await register('192.0.2.8', right)).toEqual([200]);
    expect(await register('[2001:db8::7]', right)).toEqual([200]);
  });

  it.each([
    ['of anybody else the header says nothing', []],
    ['of another address than the front’s neither', ['192.0.2.1']],
  ])('%s', async (_what, trustedFronts) => {
    world = await World.open(['tom'], { limits: { maxWrongPasswords: MANY }, trustedFronts });
    for (const [index, password] of wrong.entries()) await register(`192.0.2.${index}`, password);
    expect(await register('192.0.2.99', right)).toEqual([403]);
  });

  it('a header that names no address counts as the address of the front', async () => {
    world = await World.open(['tom'], { limits: { maxWrongPasswords: MANY }, trustedFronts: ['127.0.0.1'] });
    await register('nowhere.example', ...wrong);
    expect(await register('192.0.2.8', right)).toEqual([200]);
    expect(await register('no uri;', right)).toEqual([403]);
  });
});

it('subscriptions of a client behind the proxy end when he leaves, those of others by the same proxy stay', async () => {
  await using world = await World.open(['tom', 'eve'], { trustedFronts: ['127.0.0.1'] });
  const { notifier } = world.server.presence;
  const leaves = [];
  for (const [user, address] of [
    ['tom', '192.0.2.7'],
    ['eve', '192.0.2.8'],
  ] as const) {
    const device = world.own(await RawDevice.open(user, world.port));
    const client = `sip:${address}:40000;transport=tcp`;
    const path = `<sip:127.0.0.1:${device.peer.port};lr;received=${encodeURIComponent(client)}>`;
    const headers = [`X-Client-Address: ${client}`, `Path: ${path}`, 'Supported: path'];
    expect((await device.register({ headers })).status).toBe(200);
    const uri = `sip:${user}@${DOMAIN}`;
    const subscribe = { uri, to: `<${uri}>`, headers: [`X-Client-Address: ${client}`, 'Event: reg'] };
    expect((await device.ask('SUBSCRIBE', subscribe)).status).toBe(200);
    await device.peer.answer(await device.next('NOTIFY'), 200);
    leaves.push(() => device.register({ headers, expires: 0 }));
  }
  expect(notifier.count).toBe(2);
  await leaves[0]?.();
  await eventually(() => expect(notifier.count).toBe(1));
  await leaves[1]?.();
  await eventually(() => expect(notifier.count).toBe(0));
});
