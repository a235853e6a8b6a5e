/**
 * Owns: asking DNS servers, with the TTL that Node's own resolver keeps to itself (RFC 1035, RFC 2308, RFC 5452).
 * Called by: resolver.ts. Calls: node:dgram, node:net, dns-packet.
 */
import dnsPacket from 'dns-packet';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect, isIPv6 } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import { Unreachable } from './unreachable.ts';

/** What the records of each type that we ask for say. */
export interface DnsData {
  A: string;
  AAAA: string;
  SRV: { readonly priority: number; readonly weight: number; readonly port: number; readonly target: string };
  NAPTR: {
    readonly order: number;
    readonly preference: number;
    readonly flags: string;
    readonly services: string;
    readonly regexp: string;
    readonly replacement: string;
  };
}

export type DnsType = keyof DnsData;

/** The answer to one question. `ttlMs`: for how long it holds, also when there is nothing. */
export interface DnsReply<T extends DnsType> {
  readonly records: readonly DnsData[T][];
  /** Does the name exist, perhaps without records of this type? */
  readonly exists: boolean;
  readonly ttlMs: number;
  /** An alias whose end is not in this answer. */
  readonly alias?: string;
}

type Decoded = dnsPacket.DecodedPacket;

const DNS_PORT = 53;
const RCODE_MASK = 0xf;
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;
const MAX_TCP_BYTES = 65_535;

/** `1.2.3.4`, `1.2.3.4:5353`, `::1`, `[::1]:5353`. */
function parseServer(text: string): { address: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  return { address: bracketed ?? plain ?? text, port: port === undefined ? DNS_PORT : Number(port) };
}

function sameName(a: string, b: string): boolean {
  const bare = (name: string): string => name.toLowerCase().replace(/\.$/, '');
  return bare(a) === bare(b);
}

function decode(bytes: Buffer): Decoded | undefined {
  try {
    return dnsPacket.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Is that the answer to our question, and not something that somebody slipped in (RFC 5452 §9.1)? */
function belongs(packet: Decoded, id: number, name: string, type: DnsType): boolean {
  const [question] = packet.questions ?? [];
  return (
    packet.type === 'response' &&
    packet.id === id &&
    packet.questions?.length === 1 &&
    question?.type === type &&
    sameName(question.name, name)
  );
}

function ttlOf(seconds: number | undefined): number {
  return Math.max(0, seconds ?? 0) * 1_000;
}

/** RFC 2308 §5: the lower one of the SOA's own TTL and its minimum. */
function negativeTtl(packet: Decoded): number {
  for (const record of packet.authorities ?? []) {
    if (record.type === 'SOA') return Math.min(ttlOf(record.ttl), ttlOf(record.data.minimum));
  }
  return 0;
}

/** Takes the records of that name out of an answer, along its aliases. */
function readReply<T extends DnsType>(packet: Decoded, name: string, type: T): DnsReply<T> {
  const answers = (packet.answers ?? []).slice(0, SIP_NETWORK_LIMITS.maxDnsRecords);
  let owner = name;
  let ttlMs = Number.POSITIVE_INFINITY;
  for (let steps = 0; steps < SIP_NETWORK_LIMITS.maxDnsAliases; steps += 1) {
    const alias = answers.find((record) => record.type === 'CNAME' && sameName(record.name, owner));
    if (alias?.type !== 'CNAME') break;
    owner = alias.data;
    ttlMs = Math.min(ttlMs, ttlOf(alias.ttl));
  }
  const records: DnsData[T][] = [];
  for (const record of answers) {
    if (record.type !== type || !sameName(record.name, owner)) continue;
    records.push(record.data as DnsData[T]);
    ttlMs = Math.min(ttlMs, ttlOf('ttl' in record ? record.ttl : 0));
  }
  const exists = ((packet.flags ?? 0) & RCODE_MASK) === NO_ERROR;
  if (records.length > 0) return { records, exists, ttlMs };
  const isAlias = owner !== name && exists;
  return {
    records,
    exists,
    ttlMs: Math.min(ttlMs, negativeTtl(packet)),
    ...(isAlias ? { alias: owner } : {}),
  };
}

/** Questions to the name servers of this machine, or to those that it was given. */
export class DnsClient implements Disposable {
  readonly #clock: Clock;
  readonly #servers: readonly string[] | undefined;
  /** What ends each running exchange. */
  readonly #running = new Set<(error: Error) => void>();
  #queries = 0;
  #ended = false;

  constructor(options: { clock: Clock; servers?: readonly string[] }) {
    this.#clock = options.clock;
    this.#servers = options.servers;
  }

  /** Rejects with {@link Unreachable} when no server gives a usable answer. */
  async query<T extends DnsType>(name: string, type: T): Promise<DnsReply<T>> {
    if (this.#queries >= SIP_NETWORK_LIMITS.maxDnsQueries) {
      throw new Unreachable('name', `too many names are being looked up to ask for ${name}`);
    }
    this.#queries += 1;
    try {
      return await this.#follow(name, type);
    } finally {
      this.#queries -= 1;
    }
  }

  /** Ends what is running. */
  [Symbol.dispose](): void {
    this.#ended = true;
    for (const end of [...this.#running]) end(new Error('closed'));
  }

  async #follow<T extends DnsType>(name: string, type: T): Promise<DnsReply<T>> {
    let reply = await this.#ask(name, type);
    let ttlMs = reply.ttlMs;
    for (let steps = 0; reply.alias !== undefined; steps += 1) {
      if (steps >= SIP_NETWORK_LIMITS.maxDnsAliases) {
        throw new Unreachable('name', `the aliases of ${name} do not end`);
      }
      reply = await this.#ask(reply.alias, type);
      ttlMs = Math.min(ttlMs, reply.ttlMs);
    }
    return { ...reply, ttlMs };
  }

  async #ask<T extends DnsType>(name: string, type: T): Promise<DnsReply<T>> {
    const servers = (this.#servers ?? getServers())
      .slice(0, SIP_NETWORK_LIMITS.maxDnsServers)
      .map(parseServer);
    for (let attempt = 0; attempt < SIP_NETWORK_LIMITS.dnsTries; attempt += 1) {
      for (const server of servers) {
        if (this.#ended) break;
        const packet = await this.#askServer(server, name, type).catch(() => undefined);
        if (packet === undefined) continue;
        const code = (packet.flags ?? 0) & RCODE_MASK;
        if (code === NO_ERROR || code === NO_SUCH_NAME) return readReply(packet, name, type);
      }
    }
    throw new Unreachable('name', `no DNS server gives an answer about ${name}`);
  }

  async #askServer(
    server: { readonly address: string; readonly port: number },
    name: string,
    type: DnsType,
  ): Promise<Decoded> {
    const id = randomInt(0x1_0000);
    const question: dnsPacket.Packet = {
      type: 'query',
      id,
      flags: dnsPacket.RECURSION_DESIRED,
      questions: [{ type, name }],
    };
    const packet = await this.#exchangeUdp(server, dnsPacket.encode(question), (answer) =>
      belongs(answer, id, name, type),
    );
    if (!packet.flag_tc) return packet;
    // RFC 7766 §5: what does not fit into a datagram is asked for again over TCP.
    const whole = await this.#exchangeTcp(server, dnsPacket.streamEncode(question));
    if (!belongs(whole, id, name, type)) throw new Error('answer to another question');
    return whole;
  }

  /** A socket of its own, and with it a random port, for each question (RFC 5452 §9.2). */
  async #exchangeUdp(
    server: { readonly address: string; readonly port: number },
    question: Buffer,
    isAnswer: (packet: Decoded) => boolean,
  ): Promise<Decoded> {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    return this.#exchange(
      SIP_NETWORK_LIMITS.dnsTryMs,
      (done, fail) => {
        socket.on('error', fail);
        socket.on('message', (bytes) => {
          const packet = decode(bytes);
          if (packet !== undefined && isAnswer(packet)) done(packet);
        });
        socket.connect(server.port, server.address, () => {
          socket.send(question);
        });
      },
      () => socket.close(),
    );
  }

  async #exchangeTcp(
    server: { readonly address: string; readonly port: number },
    question: Buffer,
  ): Promise<Decoded> {
    const socket = connect(server.port, server.address);
    let received = Buffer.alloc(0);
    return this.#exchange(
      SIP_NETWORK_LIMITS.dnsTcpMs,
      (done, fail) => {
        socket.on('error', fail);
        socket.on('close', () => fail(new Error('closed')));
        socket.on('data', (chunk) => {
          received = Buffer.concat([received, chunk]);
          const length = received.length < 2 ? MAX_TCP_BYTES : received.readUInt16BE(0);
          if (received.length < 2 + length) return;
          const packet = decode(received.subarray(2, 2 + length));
          if (packet === undefined) fail(new Error('not DNS'));
          else done(packet);
        });
        socket.write(question);
      },
      () => socket.destroy(),
    );
  }

  async #exchange(
    timeoutMs: number,
    begin: (done: (packet: Decoded) => void, fail: (error: Error) => void) => void,
    close: () => void,
  ): Promise<Decoded> {
    let timer: Timer | undefined;
    let stop: ((error: Error) => void) | undefined;
    try {
      return await new Promise<Decoded>((done, fail) => {
        stop = fail;
        this.#running.add(fail);
        timer = this.#clock.startTimer(timeoutMs, () => fail(new Error('timeout')));
        begin(done, fail);
      });
    } finally {
      if (stop !== undefined) this.#running.delete(stop);
      timer?.[Symbol.dispose]();
      close();
    }
  }
}
