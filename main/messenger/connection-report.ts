/**
 * Owns: the test of an account's way to its server, step by step, in words. Called by: commands.ts.
 * Calls: sip/reach-probe.ts, server-ways.ts, account-relay.ts, a network of its own.
 *
 * Nothing is registered: the credentials are tried with a REGISTER that has no Contact and only asks for the list of
 * devices (RFC 3261 §10.2.3). The password goes into the digest and nowhere else.
 */
import type {
  ConnectionReport,
  ConnectionStep,
  ConnectionStepName,
} from '../../shared/domain/connection-report.ts';
import type { Settings } from '../../shared/settings.ts';
import { systemClock } from '../base/clock.ts';
import { MESSENGER_LIMITS } from '../base/limits.ts';
import type { MsrpEndpoint } from '../msrp/endpoint.ts';
import { MsrpRelayClient } from '../msrp/relay-client.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import { parseAuthValues, parseVia } from '../sip/headers.ts';
import type { AgentResponse } from '../sip/agent/agent-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { newCallIdentity, sendAuthenticated } from '../sip/agent/authenticated-request.ts';
import { seenAt } from '../sip/agent/learned-contact.ts';
import { isUnsent, reasonOf } from '../sip/agent/registration-answer.ts';
import type { ServerWay } from '../sip/agent/registration-flow.ts';
import { DigestClient } from '../sip/digest.ts';
import { findAddresses, findServer, findServices, probeTcp, probeTls } from '../sip/reach-probe.ts';
import { addressOfHost, isNumericHost, parseSipUri } from '../sip/uri.ts';
import { relaysOf } from './account-relay.ts';
import { userOf } from '../sip/address.ts';
import { serverFlows, transportOfWay, type ServerPlace } from './server-ways.ts';

/** What a report needs beside the account's place. */
export interface ReportOptions {
  readonly place: ServerPlace;
  readonly password: string;
  readonly ca: readonly string[];
  /** How messages are to go, and the relays that are written down. */
  readonly way: Settings['messages.path'];
  readonly relays: readonly string[];
  /** An agent and an MSRP endpoint that nobody else uses, closed by the caller. */
  openNetwork(): Promise<{ readonly agent: SipAgent; readonly msrp: MsrpEndpoint }>;
}

const ORDER: readonly ConnectionStepName[] = [
  'name',
  'address',
  'connect',
  'tls',
  'challenge',
  'registration',
  'messages-in',
  'messages-out',
];

/** A step that failed ends the report: what follows cannot be tried. */
class Failed extends Error {}

/** Runs every step in order; never rejects, and takes no longer than `MESSENGER_LIMITS.reportMs`. */
export async function reportConnection(options: ReportOptions): Promise<ConnectionReport> {
  const run = new ReportRun(options);
  const late = Promise.withResolvers<undefined>();
  using _limit = systemClock.startTimer(MESSENGER_LIMITS.reportMs, () => {
    late.resolve(undefined);
  });
  await Promise.race([run.all(), late.promise]);
  return { steps: run.steps() };
}

interface Target {
  readonly way: ServerWay;
  readonly transport: string;
  /** The name that a certificate has to be issued for. */
  readonly domain: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

interface TriedRelay {
  readonly works: boolean;
  readonly detail: string;
}

class ReportRun {
  readonly #options: ReportOptions;
  readonly #done = new Map<ConnectionStepName, ConnectionStep>();
  readonly #stepMs = MESSENGER_LIMITS.reportStepMs;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** What has been found out so far; what is missing was not reached. */
  steps(): ConnectionStep[] {
    const failed = ORDER.find((step) => this.#done.get(step)?.outcome === 'failed');
    const why =
      failed === undefined ? 'There was no time left to test this.' : 'Not tested: an earlier step failed.';
    return ORDER.map((step) => this.#done.get(step) ?? { step, outcome: 'skipped', detail: why });
  }

  async all(): Promise<void> {
    try {
      const targets = await this.#findTargets();
      const target = await this.#connect(targets);
      await this.#lookAtTls(target);
      const { agent, msrp } = await this.#options.openNetwork();
      const asked = await this.#askForChallenge(agent, target);
      await this.#signIn(agent, target);
      const relay = await this.#tryRelay(msrp, asked.localHost);
      await this.#tryListener(asked, msrp.port, relay);
      this.#sayOutwards(target, relay);
    } catch (error) {
      if (error instanceof Failed) return;
      const next = ORDER.find((step) => !this.#done.has(step)) ?? 'registration';
      this.#say(next, 'failed', error instanceof Error ? error.message : String(error));
    }
  }

  #say(step: ConnectionStepName, outcome: ConnectionStep['outcome'], detail: string): void {
    this.#done.set(step, { step, outcome, detail });
  }

  #fail(step: ConnectionStepName, detail: string): never {
    this.#say(step, 'failed', detail);
    throw new Failed(detail);
  }

  /** Name and address. */
  async #findTargets(): Promise<readonly Target[]> {
    const [ways = []] = serverFlows(this.#options.place);
    const uri = parseSipUri(ways[0]?.nextHop ?? '');
    const domain = addressOfHost(uri.host);
    const numeric = isNumericHost(uri.host) || domain.includes(':');
    const services = numeric || uri.port !== undefined ? [] : await findServices(domain, this.#stepMs);
    if (numeric) this.#say('name', 'skipped', `${domain} is an address: there is no name to look up.`);
    const targets = await Promise.all(
      ways.map(async (way): Promise<Target> => {
        const transport = transportOfWay(way);
        const named = services.length > 0 ? await findServer(domain, transport, this.#stepMs) : undefined;
        const host = named?.host ?? domain;
        const port = named?.port ?? uri.port ?? (transport === 'tls' ? 5_061 : 5_060);
        return { way, transport, domain, port, addresses: await findAddresses(host, this.#stepMs * 2) };
      }),
    );
    const addresses = [...new Set(targets.flatMap((target) => target.addresses))];
    if (!numeric) {
      const found = services.length === 0 ? 'no service records' : services.join(', ');
      if (services.length === 0 && addresses.length === 0) {
        this.#fail('name', `The name ${domain} was not found. Check how it is written, or enter the server.`);
      }
      this.#say('name', 'ok', `${domain}: ${found}.`);
    }
    if (addresses.length === 0) this.#fail('address', `The server that ${domain} names has no address.`);
    this.#say('address', 'ok', addresses.join(', '));
    return targets.filter((target) => target.addresses.length > 0);
  }

  /** The first way on which somebody listens. UDP has no connections: it is left to the next step. */
  async #connect(targets: readonly Target[]): Promise<Target> {
    const faults: string[] = [];
    for (const target of targets) {
      if (target.transport === 'udp') {
        this.#say('connect', 'skipped', [...faults, 'UDP is used, which has no connection.'].join('; '));
        return target;
      }
      for (const address of target.addresses.slice(0, 2)) {
        const outcome = await probeTcp(address, target.port, this.#stepMs);
        if ('from' in outcome) {
          const detail = `${target.transport.toUpperCase()} to ${address}, port ${target.port}, from ${outcome.from}.`;
          this.#say('connect', 'ok', [...faults, detail].join('; '));
          return { ...target, addresses: [address] };
        }
        faults.push(outcome.fault);
      }
    }
    return this.#fail('connect', `${faults.join('; ')}. Check server, port and firewall.`);
  }

  async #lookAtTls({ transport, addresses: [address = ''], port, domain }: Target): Promise<void> {
    if (transport !== 'tls') {
      this.#say('tls', 'skipped', `The connection is not encrypted (${transport.toUpperCase()}).`);
      return;
    }
    const look = await probeTls(address, port, domain, this.#options.ca, this.#stepMs);
    if (!('names' in look)) this.#fail('tls', `${look.fault}.`);
    const { protocol, names, issuer, until, fault } = look;
    const shown = `${protocol}, certificate for ${names}, issued by ${issuer}, valid until ${until}`;
    if (fault !== undefined) this.#fail('tls', `${fault}. (${shown})`);
    this.#say('tls', 'ok', `${shown}.`);
  }

  async #ask(step: 'challenge' | 'registration', agent: SipAgent, { way }: Target, digest?: DigestClient) {
    const { address } = this.#options.place;
    const aor = `<sip:${address}>`;
    const uri = `sip:${address.slice(address.lastIndexOf('@') + 1)}`;
    let localHost = '';
    const asked = sendAuthenticated(
      agent,
      { method: 'REGISTER', uri, from: aor, to: aor, ...way, ...(digest ? { digest } : {}) },
      newCallIdentity(),
      (sent) => {
        sent.sent.then(
          ({ headers }) => {
            localHost = addressOfHost(parseVia(headers.list('via')[0] ?? '').host);
          },
          () => undefined,
        );
      },
    );
    const late = Promise.withResolvers<undefined>();
    const { reportAnswerMs } = MESSENGER_LIMITS;
    using _limit = systemClock.startTimer(reportAnswerMs, () => {
      late.resolve(undefined);
    });
    const response = await Promise.race([asked, late.promise]);
    asked.catch(() => undefined);
    if (response === undefined) {
      this.#fail(step, `No answer within ${reportAnswerMs / 1_000} s. Is this the right server and port?`);
    }
    return { response, localHost };
  }

  async #askForChallenge(agent: SipAgent, target: Target) {
    const asked = await this.#ask('challenge', agent, target);
    const { response } = asked;
    const { status } = response;
    if (isUnsent(response)) {
      this.#fail('challenge', `The server did not answer: ${reasonOf(response)}.`);
    }
    if (status === 401 || status === 407) {
      this.#say('challenge', 'ok', `The server asks who is there${realmOf(response)}.`);
    } else if (status >= 200 && status < 300) {
      this.#say('challenge', 'ok', 'The server asks for no password.');
    } else this.#fail('challenge', refusal(response, this.#options.place.address));
    return asked;
  }

  async #signIn(agent: SipAgent, target: Target): Promise<void> {
    const { place, password } = this.#options;
    if (password === '') {
      this.#say('registration', 'skipped', 'There is no password to try.');
      return;
    }
    const digest = new DigestClient({ user: userOf(place.address), password });
    const { response } = await this.#ask('registration', agent, target, digest);
    const { status } = response;
    if (status >= 200 && status < 300) {
      this.#say(
        'registration',
        'ok',
        'Address and password are accepted. Nothing was registered by this test.',
      );
    } else if (status === 401 || status === 407) {
      this.#fail(
        'registration',
        `The password for ${place.address} is not right, or the address is not known.`,
      );
    } else this.#fail('registration', refusal(response, place.address));
  }

  /** A relay of ours, where there is one: does it let us in? Undefined when messages go directly in any case. */
  async #tryRelay(endpoint: MsrpEndpoint, localHost: string): Promise<TriedRelay | undefined> {
    const { place, password, way, relays } = this.#options;
    if (way === 'direct') return undefined;
    const servers = await relaysOf(relays, place.address);
    if (servers.length === 0 && way === 'auto') return undefined;
    await using client = new MsrpRelayClient({
      endpoint,
      user: userOf(place.address),
      password,
      findServers: () => Promise.resolve(servers),
      localHost: () => localHost,
    });
    try {
      await client.bind();
      const { uri } = client.server ?? {};
      return { works: true, detail: `The relay ${uri?.host ?? ''} lets you in.` };
    } catch (error) {
      if (!(error instanceof MsrpSessionError)) throw error;
      return { works: false, detail: `No relay lets you in: ${error.message}.` };
    }
  }

  #sayOutwards(target: Target, relay: TriedRelay | undefined): void {
    const { way } = this.#options;
    if (way === 'relay') {
      this.#say('messages-out', relay?.works === true ? 'ok' : 'failed', relay?.detail ?? '');
      return;
    }
    const more = relay === undefined ? '' : ` ${relay.detail}`;
    this.#say(
      'messages-out',
      target.transport === 'udp' ? 'skipped' : 'ok',
      target.transport === 'udp'
        ? `Only UDP was used, which says nothing about connections. They are made when a conversation starts.${more}`
        : `This computer can open connections to others: the one to the server shows it. Whether a certain person can be reached is only known when you write to him.${more}`,
    );
  }

  /** Others connect to this computer when they answer: can they? */
  async #tryListener(
    { response, localHost }: { response: AgentResponse; localHost: string },
    port: number,
    relay: TriedRelay | undefined,
  ): Promise<void> {
    if (relay?.works === true && this.#options.way === 'relay') {
      this.#say('messages-in', 'ok', `Others reach this computer through its relay. ${relay.detail}`);
      return;
    }
    const own = await probeTcp(localHost, port, this.#stepMs);
    if ('fault' in own) {
      this.#fail(
        'messages-in',
        `This computer does not reach its own listener: ${own.fault}. Check its firewall.`,
      );
    }
    // The certificate is our own, which nobody vouches for: it only has to be shown.
    const look = await probeTls(localHost, port, localHost, [], this.#stepMs);
    if (!('protocol' in look)) {
      this.#fail('messages-in', `This computer's own listener does not speak TLS: ${look.fault}.`);
    }
    const seen = seenAt(response.message);
    if (seen !== undefined && seen.address !== localHost) {
      const outside = `The server sees this computer as ${seen.address}, but it listens at ${localHost}`;
      if (relay?.works === true) {
        const detail = `${outside}: people outside of your network reach you through the relay. ${relay.detail}`;
        this.#say('messages-in', 'ok', detail);
        return;
      }
      this.#say(
        'messages-in',
        'failed',
        `${outside}: people outside of your network cannot connect to you. When they can be reached themselves, conversations work all the same; else messages go by way of the server.`,
      );
      return;
    }
    this.#say(
      'messages-in',
      'ok',
      `This computer listens at ${localHost}, for encrypted messages (${look.protocol}) as well, and reaches itself there. Whether others reach it cannot be tested from here.`,
    );
  }
}

function realmOf({ message, status }: AgentResponse): string {
  const name = status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  try {
    const values = message.headers.getAll(name).flatMap(parseAuthValues);
    const realm = values[0]?.params.get('realm') ?? '';
    const algorithms = values.map(({ params }) => params.get('algorithm') ?? 'MD5').join(', ');
    return ` (${realm}: ${algorithms})`;
  } catch {
    return '';
  }
}

function refusal(response: AgentResponse, address: string): string {
  const { status } = response;
  if (isUnsent(response)) return `The server did not answer: ${reasonOf(response)}.`;
  if (status === 403) return `The server does not let ${address} in. Ask whoever runs it.`;
  if (status === 404) return `The server does not know ${address}. Check the address.`;
  return `The server answers ${reasonOf(response)}.`;
}
