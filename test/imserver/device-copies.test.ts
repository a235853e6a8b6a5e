/** What the devices of one user tell each other, at the server: kept for each that understands it, within ceilings. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PeerMessage } from '../support/sip-peer.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { DOMAIN, World, type ServerOptions } from '../support/im-world.ts';
import { ENGINES, ENGINE_START_MS } from '../support/postgres.ts';
import { RawDevice } from '../support/raw-device.ts';

const AOR = `sip:bob@${DOMAIN}`;

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** A device that says that it understands copies. */
class CopyDevice {
  readonly device: RawDevice;
  readonly #name: string;

  private constructor(device: RawDevice, name: string) {
    this.device = device;
    this.#name = name;
  }

  static async join(name: string): Promise<CopyDevice> {
    const device = world.own(await RawDevice.open('bob', world.port));
    const joined = new CopyDevice(device, name);
    await joined.register();
    return joined;
  }

  get instance(): string {
    return `<urn:uuid:${this.#name}>`;
  }

  register(expires = 600): Promise<PeerMessage> {
    const contact = `${this.device.contact};+sip.instance="${this.instance}";+u.parley.copies`;
    return this.device.register({ contact, expires });
  }

  tell(body: string): Promise<PeerMessage> {
    return this.device.ask('MESSAGE', {
      uri: AOR,
      to: `<${AOR}>`,
      body,
      headers: [
        'Content-Type: message/cpim',
        'Accept-Contact: *;+u.parley.copies;require;explicit',
        `Reject-Contact: *;+sip.instance="${this.instance}"`,
      ],
    });
  }

  /** The next copy, answered. */
  async take(status = 200): Promise<string> {
    const message = await this.device.next('MESSAGE');
    await this.device.peer.answer(message, status);
    return message.body;
  }
}

describe.each(ENGINES)('on $name', ({ start, storage, stop }) => {
  beforeAll(start, ENGINE_START_MS);
  afterAll(() => stop());

  async function open(options: ServerOptions = {}): Promise<void> {
    world = await World.open(['bob'], { storage: await storage(), ...options });
  }

  it('each other device gets it once and in order, also after a restart of the server; the one that tells does not', async () => {
    await open();
    const first = await CopyDevice.join('1');
    const [second, third] = [await CopyDevice.join('2'), await CopyDevice.join('3')];
    await third.register(0);
    expect((await first.register()).header('X-Other-Devices')).toBe('2');
    for (const body of ['one', 'two']) {
      const told = await first.tell(body);
      expect([told.status, told.header('X-Other-Devices')]).toEqual([202, '2']);
    }
    expect([await second.take(), await second.take()]).toEqual(['one', 'two']);
    await world.stopServer();
    await world.startServer();
    await third.register();
    expect([await third.take(), await third.take()]).toEqual(['one', 'two']);
    expect(first.device.peer.messages.waiting.filter(({ status }) => status === 0)).toEqual([]);
  });

  it('who has one device is told so, and nothing is kept for those that do not understand it', async () => {
    await open();
    const first = await CopyDevice.join('1');
    const plain = world.own(await RawDevice.join('bob', world.port));
    const told = await first.tell('nobody');
    expect([told.status, told.header('X-Other-Devices')]).toEqual([200, '0']);
    const answer = await plain.register();
    expect(answer.headers('X-Other-Devices')).toEqual([]);
  });

  it('a device that cannot take one now is asked again; one that cannot use it is not', async () => {
    await open({ copyLimits: { redeliverFirstMs: 20 } });
    const first = await CopyDevice.join('1');
    const second = await CopyDevice.join('2');
    await first.tell('one');
    expect(await second.take(500)).toBe('one');
    expect(await second.take(400)).toBe('one');
    await first.tell('two');
    expect(await second.take()).toBe('two');
  });

  it('the oldest that wait go when there are too many, or too many bytes', async () => {
    await open({ copyLimits: { maxPerDevice: 2, maxBytesPerDevice: 8, maxCopyBytes: 8 } });
    const first = await CopyDevice.join('1');
    const second = await CopyDevice.join('2');
    await second.register(0);
    expect((await first.tell('ninebytes')).status).toBe(413);
    for (const body of ['1', '2', '3']) await first.tell(body);
    await second.register();
    expect([await second.take(), await second.take()]).toEqual(['2', '3']);
    await second.register(0);
    for (const body of ['1234', '5678', '9']) await first.tell(body);
    await second.register();
    expect([await second.take(), await second.take()]).toEqual(['5678', '9']);
  });

  it('a user has so many devices; the one that was away longest goes, and one that was away too long', async () => {
    const clock = new ManualClock();
    await open({ clock, copyLimits: { maxDevices: 2, keptDays: 3 } });
    await CopyDevice.join('1');
    clock.advance(1_000);
    const second = await CopyDevice.join('2');
    clock.advance(1_000);
    const third = await CopyDevice.join('3');
    expect((await third.tell('hello')).header('X-Other-Devices')).toBe('1');
    expect(await second.take()).toBe('hello');
    clock.advance(4 * 24 * 60 * 60 * 1_000);
    expect((await third.register()).header('X-Other-Devices')).toBe('0');
  });
});
