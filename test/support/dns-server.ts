/**
 * Owns: a name server that says what a test tells it to say, over UDP and TCP on one port.
 * Called by: tests of name look-up. Calls: node:dgram, node:net, dns-packet.
 */
import dnsPacket from 'dns-packet';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** What may be said about a name. */
export interface DnsContent {
  A: string;
  AAAA: string;
  CNAME: string;
  SRV: { priority: number; weight: number; port: number; target: string };
  NAPTR: {
    order: number;
    preference: number;
    flags: string;
    services: string;
    regexp: string;
    replacement: string;
  };
}

const NO_SUCH_NAME = 3;
const ANSWER_FLAGS = 0x0180;

/** A name server on 127.0.0.1. */
export class DnsServer implements AsyncDisposable {
  /** `TYPE name`, in the order in which they were asked; `tcp` behind those that came over TCP. */
  readonly questions: string[] = [];
  /** Changes the answer before it leaves; nothing returned: there is none. */
  tamper: (answer: dnsPacket.Packet, transport: 'udp' | 'tcp') => dnsPacket.Packet | undefined = (answer) =>
    answer;
  /** Minimum of the SOA record that goes with "there is nothing", in seconds. */
  negativeTtl = 30;
  readonly #records: dnsPacket.Answer[] = [];
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(udp: UdpSocket, tcp: Server) {
    this.#udp = udp;
    this.#tcp = tcp;
  }

  static async open(): Promise<DnsServer> {
    for (;;) {
      const tcp = createServer();
      tcp.listen(0, '127.0.0.1');
      await once(tcp, 'listening');
      const { port } = tcp.address() as { port: number };
      const udp = createSocket('udp4');
      try {
        const bound = once(udp, 'listening');
        udp.bind(port, '127.0.0.1');
        await bound;
      } catch {
        udp.close();
        tcp.close();
        continue;
      }
      const server = new DnsServer(udp, tcp);
      server.#serve();
      return server;
    }
  }

  /** `address:port`. */
  get place(): string {
    return `127.0.0.1:${this.#udp.address().port}`;
  }

  add<T extends keyof DnsContent>(name: string, type: T, data: DnsContent[T], ttl = 300): void {
    this.#records.push({ name, type, data, ttl, class: 'IN' } as dnsPacket.Answer);
  }

  /** Forgets all records. */
  clear(): void {
    this.#records.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.#udp.close(() => done()));
    await new Promise<void>((done) => this.#tcp.close(() => done()));
  }

  #serve(): void {
    this.#udp.on('message', (bytes, from) => {
      const answer = this.#answer(dnsPacket.decode(bytes), 'udp');
      if (answer !== undefined) this.#udp.send(dnsPacket.encode(answer), from.port, from.address);
    });
    this.#tcp.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        const answer = this.#answer(dnsPacket.decode(bytes.subarray(2)), 'tcp');
        if (answer !== undefined) socket.write(dnsPacket.streamEncode(answer));
      });
    });
  }

  #answer(query: dnsPacket.Packet, transport: 'udp' | 'tcp'): dnsPacket.Packet | undefined {
    const [question] = query.questions ?? [];
    if (question === undefined) return undefined;
    const name = question.name.toLowerCase();
    this.questions.push(`${question.type} ${name}${transport === 'tcp' ? ' tcp' : ''}`);
    const answers: dnsPacket.Answer[] = [];
    let owner = name;
    for (
      let alias = this.#aliasOf(owner);
      alias !== undefined && answers.length < 20;
      alias = this.#aliasOf(owner)
    ) {
      answers.push(alias);
      owner = String((alias as { data: unknown }).data);
    }
    answers.push(...this.#records.filter((record) => record.name === owner && record.type === question.type));
    const exists = this.#records.some((record) => record.name === name || record.name.endsWith(`.${name}`));
    const soa: dnsPacket.Answer = {
      name: 'test',
      type: 'SOA',
      ttl: 3_600,
      data: {
        mname: 'ns.test',
        rname: 'root.test',
        serial: 1,
        refresh: 1,
        retry: 1,
        expire: 1,
        minimum: this.negativeTtl,
      },
    };
    return this.tamper(
      {
        type: 'response',
        id: query.id ?? 0,
        flags: ANSWER_FLAGS | (exists ? 0 : NO_SUCH_NAME),
        questions: [question],
        answers,
        authorities: answers.length === 0 ? [soa] : [],
      },
      transport,
    );
  }

  #aliasOf(name: string): dnsPacket.Answer | undefined {
    return this.#records.find((record) => record.name === name && record.type === 'CNAME');
  }
}
