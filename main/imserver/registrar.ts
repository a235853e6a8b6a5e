/**
 * Owns: which devices of which user are there (RFC 3261 §10.3).
 * Called by: imserver.ts with each REGISTER; b2bua.ts and deferred-messages.ts ask it. Calls: credentials.ts, imserver-store.ts.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { IMSERVER_LIMITS, type ImServerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import { OTHER_DEVICES_HEADER } from '../sip/agent/copy-request.ts';
import { FACTORY_HEADER, RELAY_HEADER, RETURN_WINDOW_HEADER } from '../sip/agent/registration-answer.ts';
import { formatNameAddr, parseNameAddr, type NameAddr } from '../sip/headers.ts';
import { cseqOf, keptText } from '../sip/message.ts';
import type { Binding } from '../store/imserver-tables.ts';
import type { Credentials } from './credentials.ts';
import { Crowd } from './crowd.ts';
import type { ImServerStore } from './imserver-store.ts';
import { Mirror } from './mirror.ts';

export interface RegistrarOptions {
  readonly credentials: Credentials;
  readonly store: ImServerStore;
  readonly log: Log;
  /** The relay that devices are told of; undefined: none. */
  readonly relay?: () => string | undefined;
  /** The address that makes chat rooms, which devices are told of; undefined: none. */
  readonly roomFactory?: () => string | undefined;
  /** Default: `IMSERVER_LIMITS`. */
  readonly limits?: ImServerLimits;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  /** A device registers. Resolves with how many others of its user it may tell something; undefined: it does not do so. */
  readonly receiveDevice?: (user: string, contact: NameAddr) => Promise<number | undefined>;
  /** A device of this user has come, or has said that it is still there. */
  readonly receivePresent: (user: string) => void;
  /** This device is not there any more: it has signed off, or was started again and has another Contact. */
  readonly receiveGone?: (contact: string) => void;
  /** No device of this user is registered by this way (`Binding.source`) any more. */
  readonly receiveLeft?: (source: string, user: string) => void;
  /** A user has come, or is gone. */
  readonly receiveChange?: (user: string) => void;
  /** A user has another device, or one less, or one that is called something else. */
  readonly receiveDevices?: (user: string) => void;
  /** A device of this user has come by another node. */
  readonly receiveElsewhere?: (user: string) => void;
}

/** Proxies between a device and us, and the characters of their URIs. */
const MAX_PATH_VALUES = 8;
const MAX_PATH_CHARS = 2_000;

/** Characters of what a device calls itself. */
const MAX_DESCRIPTION_CHARS = 64;

/** The table of devices, in memory and on disk. */
export class Registrar implements Disposable {
  readonly #options: RegistrarOptions;
  readonly #clock: Clock;
  readonly #limits: ImServerLimits;
  readonly #bindings = new Map<string, readonly Binding[]>();
  readonly #crowd: Crowd;
  readonly #mirror: Mirror<Binding>;
  #sweepTimer: Timer | undefined;
  #isLoaded = false;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = options.limits ?? IMSERVER_LIMITS;
    this.#crowd = new Crowd(this.#limits, this.#clock, options.random ?? Math.random);
    this.#mirror = new Mirror({
      read: (user) =>
        options.store.call('selectBindings', {
          nowMs: this.#clock.now(),
          ...(user === undefined ? {} : { user }),
        }),
      apply: (user, bindings) => {
        this.#apply(user, bindings);
      },
      users: () => this.#bindings.keys(),
      log: options.log,
      clock: this.#clock,
    });
  }

  /** Reads what the last run of the server knew: a restart costs nobody his registration. */
  async load(): Promise<void> {
    await this.#mirror.load();
    this.#isLoaded = true;
    this.#sweepLater();
  }

  /** Another node has changed the devices of a user; undefined: of anybody. */
  receiveNews(user?: string): void {
    this.#mirror.receiveNews(user);
  }

  [Symbol.dispose](): void {
    this.#sweepTimer?.[Symbol.dispose]();
    this.#mirror[Symbol.dispose]();
  }

  /** The devices at which a user can be reached now. */
  devicesOf(user: string): readonly Binding[] {
    const nowMs = this.#clock.now();
    return (this.#bindings.get(user) ?? []).filter(({ expiresMs }) => expiresMs > nowMs);
  }

  /**
   * The devices at which a user can be reached now, each with its ways, the newest first: of the flows of one instance
   * only one is used, the others when it fails (RFC 5626 §5.3).
   */
  waysTo(user: string): readonly (readonly Binding[])[] {
    const devices = new Map<string, Binding[]>();
    for (const binding of this.devicesOf(user)) {
      const [instance = ''] = binding.instance.split(' ');
      const key = instance === '' ? `contact ${binding.contact}` : `instance ${instance}`;
      devices.set(key, [binding, ...(devices.get(key) ?? [])]);
    }
    return [...devices.values()];
  }

  /** Contacts of all users. */
  get bindingCount(): number {
    let count = 0;
    for (const user of this.#bindings.keys()) count += this.devicesOf(user).length;
    return count;
  }

  /** Users who have a device now. */
  usersOnline(): string[] {
    return [...this.#bindings.keys()].filter((user) => this.isOnline(user));
  }

  isOnline(user: string): boolean {
    return this.devicesOf(user).length > 0;
  }

  /** A user was taken out of the user file. */
  async forget(user: string): Promise<void> {
    const before = this.devicesOf(user);
    const wasOnline = before.length > 0;
    this.#bindings.delete(user);
    for (const { contact } of before) this.#options.receiveGone?.(contact);
    this.#tellLeft(user, before, []);
    await this.#mirror.write(user, () => this.#options.store.call('deleteBinding', { user }));
    if (!wasOnline) return;
    this.#options.receiveChange?.(user);
    this.#options.receiveDevices?.(user);
  }

  async receiveRegister(request: AgentServerRequest): Promise<void> {
    if (await this.#isCrowded(request)) return;
    const user = await this.#options.credentials.authenticate(request);
    if (user === undefined) return;
    const { headers } = request.message;
    if (this.#options.credentials.userOf(headers.get('to')) !== user) {
      await request.respond(403, { reason: 'You may only register yourself' });
      return;
    }
    const contacts = headers.list('contact');
    const defaultExpires = Number(headers.get('expires') ?? this.#limits.defaultExpiresS);
    const callId = headers.get('call-id') ?? '';
    const cseq = cseqOf(request.message).number;
    if (contacts.includes('*')) {
      if (contacts.length > 1 || defaultExpires !== 0) {
        await request.respond(400, { reason: 'Contact * needs Expires 0' });
        return;
      }
      await this.forget(user);
    } else {
      const refused = await this.#bind(user, contacts, defaultExpires, callId, cseq, request);
      if (refused !== undefined) {
        await request.respond(refused.status, { ...(refused.headers ? { headers: refused.headers } : {}) });
        return;
      }
    }
    const devices = this.devicesOf(user);
    const others = await this.#othersOf(user, contacts);
    const relay = this.#options.relay?.();
    const factory = this.#options.roomFactory?.();
    await request.respond(200, {
      headers: {
        ...(devices.length > 0 ? { Contact: devices.map((device) => this.#describe(device)) } : {}),
        // RFC 3327 §5.3: the device may see by which way it is reached.
        ...(headers.has('path') ? { Path: headers.getAll('path') } : {}),
        Date: new Date(this.#clock.now()).toUTCString(),
        ...(relay === undefined ? {} : { [RELAY_HEADER]: relay }),
        ...(factory === undefined ? {} : { [FACTORY_HEADER]: `<${factory}>` }),
        ...(others === undefined ? {} : { [OTHER_DEVICES_HEADER]: String(others) }),
        [RETURN_WINDOW_HEADER]: String(this.#crowd.windowS(this.#bindings.size)),
      },
    });
    if (devices.length > 0) this.#options.receivePresent(user);
  }

  /** Other devices of the one that registers, when it wants to know of them. */
  async #othersOf(user: string, contacts: readonly string[]): Promise<number | undefined> {
    const contact = contacts.map(readContact).find((one) => one?.params.get('expires') !== '0');
    return contact && this.#options.receiveDevice?.(user, contact);
  }

  #sweepLater(): void {
    this.#sweepTimer = this.#clock.startTimer(this.#limits.expirySweepMs, () => {
      this.#sweep();
      this.#sweepLater();
    });
  }

  /** Whose time is over is told to those who care. */
  #sweep(): void {
    const nowMs = this.#clock.now();
    for (const [user, known] of this.#bindings) {
      const left = known.filter(({ expiresMs }) => expiresMs > nowMs);
      if (left.length === known.length) continue;
      this.#put(user, left);
      this.#tellLeft(user, known, left);
      if (left.length === 0) this.#options.receiveChange?.(user);
      this.#options.receiveDevices?.(user);
    }
  }

  /** What another node has written; before that, what there was when this one was started. */
  #apply(user: string, devices: readonly Binding[]): void {
    const before = this.devicesOf(user);
    this.#put(user, devices);
    if (!this.#isLoaded) return;
    for (const { contact } of before) {
      if (!devices.some((device) => device.contact === contact)) this.#options.receiveGone?.(contact);
    }
    this.#tellLeft(user, before, devices);
    if (devices.length > 0 !== before.length > 0) this.#options.receiveChange?.(user);
    if (namesOf(devices) !== namesOf(before)) this.#options.receiveDevices?.(user);
    const isKnown = ({ contact, source }: Binding) =>
      before.some((device) => device.contact === contact && device.source === source);
    if (!devices.every(isKnown)) this.#options.receiveElsewhere?.(user);
  }

  #put(user: string, devices: readonly Binding[]): void {
    if (devices.length === 0) this.#bindings.delete(user);
    else this.#bindings.set(user, devices);
  }

  /**
   * Too many come at once by a new way, as they do after a restart: answered 503, and when to come again is drawn by
   * lot. Whoever refreshes over the way that we know is not counted.
   */
  async #isCrowded(request: AgentServerRequest): Promise<boolean> {
    const user = this.#options.credentials.userOf(request.message.headers.get('to')) ?? '';
    const source = wayBack(request);
    if (this.devicesOf(user).some((device) => device.source === source)) return false;
    const waitS = this.#crowd.receive();
    if (waitS === undefined) return false;
    await request.respond(503, {
      reason: 'Many are coming back at once',
      headers: { 'Retry-After': String(waitS) },
    });
    return true;
  }

  /** Applies the Contacts of one REGISTER (RFC 3261 §10.3 step 7). Returns why it cannot. */
  async #bind(
    user: string,
    contacts: readonly string[],
    defaultExpires: number,
    callId: string,
    cseq: number,
    request: AgentServerRequest,
  ): Promise<{ status: number; headers?: Record<string, string> } | undefined> {
    const wasOnline = this.isOnline(user);
    let devices = [...this.devicesOf(user)];
    const gone: string[] = [];
    const bound: Binding[] = [];
    const source = wayBack(request);
    for (const text of contacts) {
      const contact = readContact(text);
      if (contact === undefined) return { status: 400 };
      const asked = Number(contact.params.get('expires') ?? defaultExpires);
      if (!Number.isInteger(asked) || asked < 0) return { status: 400 };
      if (asked > 0 && asked < this.#limits.minExpiresS) {
        return { status: 423, headers: { 'Min-Expires': String(this.#limits.minExpiresS) } };
      }
      const before = devices.find(
        (device) => device.contact === contact.uri && !isOtherFlow(device.instance, instanceOf(contact)),
      );
      if (before?.callId === callId && before.cseq >= cseq) return { status: 500 };
      const instance = instanceOf(contact);
      // RFC 5626 §6: a device that was started again has another Contact, and takes the place of its old one.
      const isReplaced = (device: Binding) =>
        instance !== '' && device.instance === instance
          ? true
          : device.contact === contact.uri && !isOtherFlow(device.instance, instance);
      gone.push(...devices.filter(isReplaced).map((device) => device.contact));
      devices = devices.filter((device) => !isReplaced(device));
      if (asked === 0) continue;
      if (devices.length >= this.#limits.maxContactsPerUser) return { status: 403 };
      const expiresS = Math.min(asked, this.#limits.maxExpiresS);
      const expiresMs = this.#clock.now() + expiresS * 1_000;
      const description = descriptionOf(contact);
      // Cut out of the REGISTER it would keep all of it.
      const uri = keptText(contact.uri);
      const binding = { user, contact: uri, instance, callId, cseq, source, description, expiresMs };
      devices.push(binding);
      bound.push(binding);
    }
    // Known at once: another device of this user may register while this one is being written.
    const before = this.devicesOf(user);
    this.#bindings.set(user, devices);
    for (const contact of gone) {
      if (!devices.some((device) => device.contact === contact)) this.#options.receiveGone?.(contact);
    }
    this.#tellLeft(user, before, devices);
    const { store, log } = this.#options;
    try {
      await this.#mirror.write(user, async () => {
        await Promise.all(gone.map((contact) => store.call('deleteBinding', { user, contact })));
        await Promise.all(bound.map((binding) => store.call('upsertBinding', binding)));
      });
    } catch (error) {
      // He is told that it was not done, and so it is, unless another device has come meanwhile.
      if (this.#bindings.get(user) === devices) this.#put(user, before);
      throw error;
    }
    log.info('registrar.changed', { user, devices: devices.length });
    if (devices.length > 0 !== wasOnline) this.#options.receiveChange?.(user);
    if (namesOf(devices) !== namesOf(before)) this.#options.receiveDevices?.(user);
    return undefined;
  }

  #tellLeft(user: string, before: readonly Binding[], now: readonly Binding[]): void {
    const left = new Set(before.map(({ source }) => source));
    for (const { source } of now) left.delete(source);
    for (const source of left) this.#options.receiveLeft?.(source, user);
  }

  #describe(device: Binding): string {
    return `<${device.contact}>;expires=${Math.max(1, Math.round((device.expiresMs - this.#clock.now()) / 1_000))}`;
  }
}

/**
 * The way back to a device is the way that its REGISTER came: a Contact behind a NAT leads nowhere. Proxies that want
 * to stay on that way have written themselves into Path (RFC 3327 §5.3).
 * @throws ProtocolError 400 for a Path that nobody can follow
 */
function wayBack(request: AgentServerRequest): string {
  const path = request.message.headers.list('path');
  if (path.length > 0) {
    const tooLong = path.length > MAX_PATH_VALUES || path.join().length > MAX_PATH_CHARS;
    if (tooLong) throw new ProtocolError('SIP_BAD_HEADER', 400, 'the Path is too long');
    return path.map((value) => formatNameAddr(parseNameAddr(value))).join(', ');
  }
  return request.sourceUri;
}

/** Two flows of one device, which may well have the same Contact (RFC 5626 §4.2). */
function isOtherFlow(a: string, b: string): boolean {
  return a !== b && a !== '' && a.split(' ')[0] === b.split(' ')[0];
}

/** Which device a Contact belongs to: `+sip.instance` and `reg-id`; empty when it does not say. */
function instanceOf(contact: NameAddr): string {
  const instance = contact.params.get('+sip.instance') ?? '';
  return instance === '' ? '' : `${instance.slice(0, 200)} ${contact.params.get('reg-id') ?? ''}`;
}

/** `+sip.description`, a quoted string in angle brackets (RFC 3840 §9): one line that can be shown. */
function descriptionOf(contact: NameAddr): string {
  const text = (contact.params.get('+sip.description') ?? '').replace(/^<|>$/g, '');
  return Array.from(text.replace(/[\s\p{Cc}]+/gu, ' ').trim())
    .slice(0, MAX_DESCRIPTION_CHARS)
    .join('');
}

function namesOf(devices: readonly Binding[]): string {
  return devices
    .map(({ contact, description }) => `${contact} ${description}`)
    .sort()
    .join('\n');
}

function readContact(text: string): NameAddr | undefined {
  try {
    const contact = parseNameAddr(text);
    return /^sips?:/i.test(contact.uri) ? contact : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
