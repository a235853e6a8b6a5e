/**
 * Owns: single looks at a server from this computer: what DNS says, whether a port answers, which certificate it shows.
 * Called by: messenger/connection-report.ts. Calls: node:dns, node:net, node:tls, engine/tls-identity.ts.
 * Nothing of SIP is spoken here, and nothing is kept open.
 */
import { lookup, Resolver } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls';
import { systemClock } from '../base/clock.ts';
import { certificateFault, createSipContext, tlsSentence } from './engine/tls-identity.ts';
import { placeOf, socketSentence } from './engine/unreachable.ts';
import { isNumericHost } from './uri.ts';

/** Service records of a domain, as one reads them: `_sip._tcp → im.example.org:5060`. */
export async function findServices(domain: string, withinMs: number): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: withinMs, tries: 1 });
  const none = () => [];
  const services = ['_sips._tcp', '_sip._tcp', '_sip._udp'].map(async (service) => {
    const records = await resolver.resolveSrv(`${service}.${domain}`).catch(none);
    return records.map(({ name, port }) => `${service} → ${name}:${port}`);
  });
  const naptr = resolver
    .resolveNaptr(domain)
    .then((records) => records.filter(({ service }) => /^sips?\+d2/i.test(service)))
    .then((records) => records.map(({ service, replacement }) => `${service} → ${replacement}`))
    .catch(none);
  return (await Promise.all([naptr, ...services])).flat();
}

/** Host and port of the first SRV record of a transport; undefined when there is none. */
export async function findServer(
  domain: string,
  transport: string,
  withinMs: number,
): Promise<{ host: string; port: number } | undefined> {
  const service = transport === 'tls' ? '_sips._tcp' : `_sip._${transport}`;
  const resolver = new Resolver({ timeout: withinMs, tries: 1 });
  const records = await resolver.resolveSrv(`${service}.${domain}`).catch(() => []);
  const [best] = records.sort((a, b) => a.priority - b.priority || b.weight - a.weight);
  return best && { host: best.name, port: best.port };
}

/** Addresses of a name; empty when there are none, or nobody says so in time. */
export async function findAddresses(host: string, withinMs: number): Promise<readonly string[]> {
  if (isNumericHost(host) || host.includes(':')) return [host];
  const late = Promise.withResolvers<{ address: string }[]>();
  using _limit = systemClock.startTimer(withinMs, () => {
    late.resolve([]);
  });
  const found = await Promise.race([lookup(host, { all: true }).catch(() => []), late.promise]);
  return found.map(({ address }) => address);
}

/** Opens a TCP connection and closes it. Undefined when it came about, else why not. */
export function probeTcp(
  address: string,
  port: number,
  withinMs: number,
): Promise<{ from: string } | { fault: string }> {
  const place = placeOf(address, port);
  return within<Socket, { from: string } | { fault: string }>(connect({ host: address, port }), withinMs, {
    event: 'connect',
    done: (socket) => ({ from: socket.localAddress ?? '' }),
    failed: (error) => ({
      fault: error === undefined ? `no answer from ${place}` : socketSentence(error, place),
    }),
  });
}

/** What a TLS server shows. */
export interface TlsLook {
  readonly protocol: string;
  readonly names: string;
  readonly issuer: string;
  /** ISO day on which it ends. */
  readonly until: string;
  /** Undefined when it is trusted for the domain. */
  readonly fault: string | undefined;
}

/** Shakes hands and looks at the certificate; `domain` is whom it has to be issued for. */
export function probeTls(
  address: string,
  port: number,
  domain: string,
  ca: readonly string[],
  withinMs: number,
): Promise<TlsLook | { fault: string }> {
  const place = placeOf(address, port);
  const socket = connectTls({
    host: address,
    port,
    secureContext: createSipContext('client', { ca }),
    rejectUnauthorized: false,
    ...(isNumericHost(domain) || domain.includes(':') ? {} : { servername: domain }),
  });
  return within<TLSSocket, TlsLook | { fault: string }>(socket, withinMs, {
    event: 'secureConnect',
    done: (open) => {
      // An empty object when the server showed none.
      const shown: Partial<PeerCertificate> = open.getPeerCertificate();
      return {
        protocol: open.getProtocol() ?? '',
        names: shown.subjectaltname ?? textOf(shown.subject?.CN),
        issuer: textOf(shown.issuer?.CN ?? shown.issuer?.O),
        until: shown.valid_to === undefined ? '' : new Date(shown.valid_to).toISOString().slice(0, 10),
        fault: certificateFault(open, domain, place),
      };
    },
    failed: (error) => ({
      fault: error === undefined ? `no answer from ${place}` : tlsSentence(error, place),
    }),
  });
}

/** A name may be there several times. */
function textOf(name: string | readonly string[] | undefined): string {
  return [name ?? ''].flat().join(', ');
}

/** Waits for one event of a socket, and destroys it. */
function within<S extends Socket, T>(
  socket: S,
  withinMs: number,
  { event, done, failed }: { event: string; done: (socket: S) => T; failed: (error?: Error) => T },
): Promise<T> {
  const outcome = Promise.withResolvers<T>();
  socket.setTimeout(withinMs, () => {
    outcome.resolve(failed());
  });
  socket.once(event, () => {
    outcome.resolve(done(socket));
  });
  socket.on('error', (error) => {
    outcome.resolve(failed(error));
  });
  return outcome.promise.finally(() => socket.destroy());
}
