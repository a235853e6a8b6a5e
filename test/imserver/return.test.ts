/**
 * A restarted server and a thousand people: real registrations, real registrar and credentials, a clock turned by hand.
 * Between them, instead of sockets, the text of each message.
 */
import { expect, it } from 'vitest';
import { MESSENGER_LIMITS } from '../../main/base/limits.ts';
import { silentLog } from '../../main/base/log.ts';
import { Credentials } from '../../main/imserver/credentials.ts';
import type { ImServerStore } from '../../main/imserver/imserver-store.ts';
import { Registrar } from '../../main/imserver/registrar.ts';
import type { UserFile } from '../../main/imserver/user-file.ts';
import type { AgentServerRequest } from '../../main/sip/agent/agent-server-request.ts';
import type { OutgoingRequest, SipAgent } from '../../main/sip/agent/agent.ts';
import { toDrachtioHeaders, type OutgoingHeaders } from '../../main/sip/agent/outgoing.ts';
import { Registration } from '../../main/sip/agent/registration.ts';
import { DigestClient, digestHa1 } from '../../main/sip/digest.ts';
import { parseSipMessage, type SipRequest, type SipResponse } from '../../main/sip/message.ts';
import type { Binding } from '../../main/store/imserver-tables.ts';
import { ManualClock } from '../support/manual-clock.ts';

const PEOPLE = 1_000;
const DOMAIN = 'example.org';
const STEP_MS = 100;

/** The same draws in each run (mulberry32). */
let seed = 5_626;
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
}

/** A server that can be cut off and come back with what its disk has; nonces are new after each start. */
class Server {
  readonly clock: ManualClock;
  readonly #disk = new Map<string, Binding>();
  /** REGISTERs by the second in which they came. */
  readonly received = new Map<number, number>();
  #registrar: Registrar | undefined;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  get isUp(): boolean {
    return this.#registrar !== undefined;
  }

  async start(): Promise<void> {
    const users = {
      find: (user: string) =>
        Promise.resolve({
          ha1: {
            'SHA-256': digestHa1('SHA-256', user, DOMAIN, user),
            MD5: digestHa1('MD5', user, DOMAIN, user),
          },
        }),
    } as unknown as UserFile;
    const store = {
      call: (name: string, input: Binding) => {
        if (name === 'upsertBinding') this.#disk.set(input.user, input);
        return Promise.resolve(name === 'selectBindings' ? [...this.#disk.values()] : null);
      },
    } as unknown as ImServerStore;
    const { clock } = this;
    this.#registrar = new Registrar({
      credentials: new Credentials({ users, realm: DOMAIN, clock }),
      store,
      log: silentLog,
      clock,
      random,
      receivePresent: () => undefined,
    });
    await this.#registrar.load();
  }

  stop(): void {
    this.#registrar = undefined;
  }

  /** One REGISTER over the connection from `port`. */
  answer(message: SipRequest, port: number): Promise<SipResponse> {
    const second = Math.floor(this.clock.now() / 1_000);
    this.received.set(second, (this.received.get(second) ?? 0) + 1);
    const answered = Promise.withResolvers<SipResponse>();
    const request = {
      message,
      method: 'REGISTER',
      source: { address: '192.0.2.1', port, transport: 'tcp' },
      respond: (status: number, content: { reason?: string; headers?: OutgoingHeaders } = {}) => {
        answered.resolve(reply(message, status, content.headers ?? {}));
        return Promise.resolve(undefined);
      },
    } as unknown as AgentServerRequest;
    void this.#registrar?.receiveRegister(request);
    return answered.promise;
  }

  /** The fullest second since `fromMs`. */
  peak(fromMs: number): number {
    const counts = [...this.received].filter(([second]) => second >= Math.floor(fromMs / 1_000));
    return Math.max(...counts.map(([, count]) => count));
  }
}

function lines(headers: OutgoingHeaders): string {
  return Object.entries(toDrachtioHeaders(headers))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

function reply(request: SipRequest, status: number, headers: OutgoingHeaders): SipResponse {
  const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(
    (name) => `${name}: ${request.headers.get(name) ?? ''}\r\n`,
  );
  const text = `SIP/2.0 ${status} X\r\n${copied.join('')}${lines(headers)}\r\n`;
  return parseSipMessage(Buffer.from(text), { contentLength: 'ignore' }) as SipResponse;
}

/** One person's agent: a TCP connection to the server that is made anew when there is none. */
class Device {
  static #nextPort = 10_000;
  readonly registration: Registration;
  readonly #server: Server;
  #port = 0;

  constructor(user: string, server: Server) {
    this.#server = server;
    this.registration = new Registration({
      agent: {
        connected: true,
        sendRequest: (out: OutgoingRequest) => this.#send(out),
      } as unknown as SipAgent,
      address: `${user}@${DOMAIN}`,
      contact: `<sip:${user}@192.0.2.1:${10_000 + Device.#nextPort};ob>`,
      flows: [[{ nextHop: `sip:${DOMAIN};transport=tcp` }]],
      digest: new DigestClient({ user, password: user }),
      limits: MESSENGER_LIMITS,
      clock: server.clock,
      random,
      onChange: () => undefined,
    });
  }

  get isBack(): boolean {
    return this.registration.status.status === 'registered';
  }

  lose(): void {
    this.#port = 0;
    this.registration.receiveFlowLost({ remoteAddress: '192.0.2.9', remotePort: 5060, reason: 'cut' });
  }

  #send({ uri = '', headers = {} }: OutgoingRequest) {
    if (this.#port === 0) this.#port = Device.#nextPort++;
    const via = `Via: SIP/2.0/TCP 192.0.2.1:${this.#port};branch=z9hG4bK1\r\n`;
    const text = `REGISTER ${uri} SIP/2.0\r\n${via}${lines(headers)}\r\n`;
    const message = parseSipMessage(Buffer.from(text), { contentLength: 'ignore' }) as SipRequest;
    const isUp = this.#server.isUp;
    if (!isUp) this.#port = 0;
    const answer = isUp ? this.#server.answer(message, this.#port) : Promise.resolve(reply(message, 503, {}));
    const source = { address: isUp ? '192.0.2.9' : '', port: isUp ? 5060 : 0 };
    const final = answer.then((response) => ({
      status: response.status,
      reason: 'X',
      message: response,
      source,
    }));
    return { sent: Promise.resolve(message), final };
  }
}

/** Lets time pass in small steps, and in each everything that follows from it. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    clock.advance(STEP_MS);
    await new Promise((done) => setImmediate(done));
  }
}

it.each([0, 5, 20, 90])(
  'after %i s without a server a thousand people are back within 60 s, never more than 100 REGISTERs a second',
  async (downS) => {
    const clock = new ManualClock();
    const server = new Server(clock);
    await server.start();
    const devices = Array.from({ length: PEOPLE }, (_, index) => new Device(`user${index}`, server));
    // In the morning they come one after the other, and stay a while.
    for (const device of devices) {
      device.registration.start();
      clock.advance(30);
      await new Promise((done) => setImmediate(done));
    }
    await pass(clock, 90_000);
    expect(devices.filter(({ isBack }) => !isBack)).toEqual([]);
    expect(server.peak(0)).toBeLessThanOrEqual(100);

    server.stop();
    const cutMs = clock.now();
    for (const device of devices) device.lose();
    await pass(clock, downS * 1_000);
    await server.start();
    await pass(clock, 60_000);
    expect(devices.filter(({ isBack }) => !isBack)).toHaveLength(0);
    // And their refreshes after that.
    await pass(clock, 120_000);
    expect(devices.filter(({ isBack }) => !isBack)).toHaveLength(0);
    expect(server.peak(cutMs)).toBeLessThanOrEqual(100);
  },
  60_000,
);

it('all at once, without a word of how to spread: 503 with Retry-After brings them back one after the other', async () => {
  const clock = new ManualClock();
  const server = new Server(clock);
  await server.start();
  const devices = Array.from({ length: PEOPLE }, (_, index) => new Device(`user${index}`, server));
  for (const device of devices) device.registration.start();
  await pass(clock, 60_000);
  expect(devices.filter(({ isBack }) => !isBack)).toHaveLength(0);
  // What the first second brings is theirs; what the server lets follow is its own.
  const [, ...later] = [...server.received.values()];
  expect(Math.max(...later)).toBeLessThanOrEqual(250);
}, 60_000);

it('a few people are not made to wait', async () => {
  const clock = new ManualClock();
  const server = new Server(clock);
  await server.start();
  const devices = Array.from({ length: 15 }, (_, index) => new Device(`user${index}`, server));
  for (const device of devices) device.registration.start();
  await pass(clock, 90_000);
  server.stop();
  await server.start();
  for (const device of devices) device.lose();
  await pass(clock, MESSENGER_LIMITS.registrationLostMs + STEP_MS);
  expect(devices.filter(({ isBack }) => !isBack)).toHaveLength(0);
});
