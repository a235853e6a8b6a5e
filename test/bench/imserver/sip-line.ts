/**
 * Owns: one TCP connection to the IM Server over which many users register and call each other: as little as a SIP client
 * can be, so that the server is what is measured. Called by: crowd.ts, rooms.ts. Calls: test/support/raw-device.ts.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DOMAIN, passwordOf } from '../../support/im-world.ts';
import { answerChallenge } from '../../support/raw-device.ts';

/** A message as it came. */
export interface LineMessage {
  readonly start: string;
  readonly head: string;
  readonly body: string;
  readonly status: number;
}

let serial = 0;

export function headerOf({ head }: LineMessage, name: string): string {
  return new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1]?.trim() ?? '';
}

/** One connection. */
export class SipLine {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, (message: LineMessage) => void>();
  /** What is answered to an INVITE. */
  readonly sdp: string;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, sdp: string) {
    this.#socket = socket;
    this.sdp = sdp;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  static async open(port: number, sdp = ''): Promise<SipLine> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new SipLine(socket, sdp);
  }

  close(): void {
    this.#socket.destroy();
  }

  async register(user: string): Promise<void> {
    const aor = `sip:${user}@${DOMAIN}`;
    const { status } = await this.#ask(user, 'REGISTER', `sip:${DOMAIN}`, aor, '', 'Expires: 3600\r\n');
    if (status !== 200) throw new Error(`${user} is not registered: ${status}`);
  }

  /** Up to the ACK; the answer. */
  async call(user: string, uri: string, sdp = this.sdp): Promise<LineMessage> {
    const answer = await this.#ask(user, 'INVITE', uri, uri, sdp, '');
    if (answer.status !== 200) throw new Error(`${user} does not reach ${uri}: ${answer.start}`);
    const target = /<([^>]+)>/.exec(headerOf(answer, 'Contact'))?.[1] ?? uri;
    this.#send(
      `ACK ${target} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:${this.#port};branch=z9hG4bKa${++serial}\r\n` +
        `Max-Forwards: 70\r\nFrom: ${headerOf(answer, 'From')}\r\nTo: ${headerOf(answer, 'To')}\r\n` +
        `Call-ID: ${headerOf(answer, 'Call-ID')}\r\nCSeq: ${headerOf(answer, 'CSeq').replace('INVITE', 'ACK')}\r\nContent-Length: 0\r\n\r\n`,
    );
    return answer;
  }

  get #port(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Asks, answers the challenge, and returns the final answer. */
  async #ask(
    user: string,
    method: string,
    uri: string,
    to: string,
    sdp: string,
    more: string,
  ): Promise<LineMessage> {
    const callId = `bench${++serial}`;
    const tag = `t${serial}`;
    const ask = (cseq: number, authorization: string): Promise<LineMessage> => {
      const branch = `z9hG4bKb${++serial}`;
      const common =
        `Via: SIP/2.0/TCP 127.0.0.1:${this.#port};branch=${branch}\r\nMax-Forwards: 70\r\n` +
        `From: <sip:${user}@${DOMAIN}>;tag=${tag}\r\nCall-ID: ${callId}\r\n`;
      const answered = new Promise<LineMessage>((done) => {
        this.#waiting.set(`${callId} ${cseq} ${method}`, (message) => {
          if (method === 'INVITE' && message.status >= 300) {
            this.#send(
              `ACK ${uri} SIP/2.0\r\n${common}To: ${headerOf(message, 'To')}\r\nCSeq: ${cseq} ACK\r\nContent-Length: 0\r\n\r\n`,
            );
          }
          done(message);
        });
      });
      this.#send(
        `${method} ${uri} SIP/2.0\r\n${common}To: <${to}>\r\nCSeq: ${cseq} ${method}\r\n` +
          `Contact: <sip:${user}@127.0.0.1:${this.#port};transport=tcp>\r\n${more}${authorization}` +
          `${sdp === '' ? '' : 'Content-Type: application/sdp\r\n'}Content-Length: ${Buffer.byteLength(sdp)}\r\n\r\n${sdp}`,
      );
      return answered;
    };
    const first = await ask(1, '');
    if (first.status !== 401) return first;
    const value = answerChallenge(headerOf(first, 'WWW-Authenticate'), {
      ...{ user, method, uri },
      password: passwordOf(user),
    });
    return ask(2, `Authorization: ${value}\r\n`);
  }

  #send(text: string): void {
    this.#socket.write(text);
  }

  #receive(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (end === 0) {
        this.#rest = this.#rest.subarray(4);
        continue;
      }
      const head = this.#rest.toString('latin1', 0, end).trimStart();
      const length = Number(/^Content-Length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (this.#rest.length < end + 4 + length) return;
      const body = this.#rest.toString('utf8', end + 4, end + 4 + length);
      this.#rest = this.#rest.subarray(end + 4 + length);
      const start = head.slice(0, head.indexOf('\r\n'));
      this.#take({ start, head, body, status: Number(/^SIP\/2\.0 (\d+)/.exec(start)?.[1] ?? 0) });
    }
  }

  #take(message: LineMessage): void {
    if (message.status >= 200) {
      const key = `${headerOf(message, 'Call-ID')} ${headerOf(message, 'CSeq')}`;
      this.#waiting.get(key)?.(message);
      this.#waiting.delete(key);
    } else if (message.status === 0 && !message.start.startsWith('ACK ')) this.#answer(message);
  }

  /** Whoever calls is let in, whatever is said is taken. */
  #answer(request: LineMessage): void {
    const isInvite = request.start.startsWith('INVITE ');
    const copied = request.head
      .split('\r\n')
      .filter((line) => /^(?:Via|From|Call-ID|CSeq|Record-Route):/i.test(line))
      .join('\r\n');
    const to = headerOf(request, 'To');
    const user = /^\w+ sips?:([^@;]+)/.exec(request.start)?.[1] ?? '';
    const sdp = isInvite ? this.sdp : '';
    this.#send(
      `SIP/2.0 200 OK\r\n${copied}\r\nTo: ${/;tag=/.test(to) ? to : `${to};tag=c${++serial}`}\r\n` +
        `Contact: <sip:${user}@127.0.0.1:${this.#port};transport=tcp>\r\n` +
        `${isInvite ? 'Content-Type: application/sdp\r\n' : ''}Content-Length: ${Buffer.byteLength(sdp)}\r\n\r\n${sdp}`,
    );
  }
}

/** Runs `work` for each of `count`, some at once; how long each took, in ms. */
export async function together(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const began = performance.now();
      await work(index);
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return times;
}
