/**
 * Owns: playing the application and the SIP peers of a recording against a live engine, and collecting what differs.
 * Called by: test/sip/engine/transcripts.test.ts. Calls: control-peer.ts, sip-peer.ts, transcript-names.ts, the engine.
 */
import { SipEngine } from '../../main/sip/engine/engine.ts';
import { ControlPeer, type EngineFrame } from './control-peer.ts';
import { DnsServer } from './dns-server.ts';
import { ManualClock } from './manual-clock.ts';
import { SipPeer } from './sip-peer.ts';
import type { TranscriptEntry } from './transcript.ts';
import { headerOf, kindOf, rowOf, TranscriptNames } from './transcript-names.ts';

const SECRET = 'cymru';
/** A timer of the real server may be so much earlier than ours. */
const TIMER_SLACK_MS = 8_000;
/** For what needs a name server or a refused connection: nothing tells when it is over. */
const OUTSIDE_WORLD_MS = 2_000;

interface Recording {
  readonly entries: readonly TranscriptEntry[];
  /** The port of the real server. */
  readonly port: number;
  /** The answer of something outside of the engine has to be waited for. */
  readonly outside: boolean;
}

/** One SIP peer of the recording: a name and a port. */
interface Peer {
  readonly name: string;
  readonly recordedPort: number;
  readonly socket: SipPeer;
  /** What came and was not expected yet. */
  readonly arrived: string[];
  readonly seen: Set<string>;
  taken: number;
}

interface App {
  readonly name: string;
  readonly connection: ControlPeer;
  readonly arrived: EngineFrame[];
  taken: number;
  authenticated: boolean;
  closed: boolean;
  /** By us, as the recorded application did. */
  closedBySelf: boolean;
}

function viaOf(sip: string): { transport: string; port: number } {
  const [, transport = 'UDP', port = '0'] = /^SIP\/2\.0\/(\w+) [^:;]+:(\d+)/.exec(headerOf(sip, 'via')) ?? [];
  return { transport, port: Number(port) };
}

function isSip(text: string): boolean {
  return /^(?:SIP\/2\.0 \d|[A-Z]+ \S+ SIP\/2\.0\r)/.test(text);
}

/** The recorded port at which that peer sat. */
function portIn(entry: TranscriptEntry, serverPort: number): number | undefined {
  const { text, to } = entry;
  const isResponse = text.startsWith('SIP/2.0 ');
  if (to === 'sip' ? !isResponse : isResponse) {
    const { port } = viaOf(text);
    return port === 0 ? undefined : port;
  }
  const where = isResponse
    ? headerOf(text, 'contact')
    : `${headerOf(text, 'route')} ${text.split('\r\n')[0] ?? ''}`;
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(where)?.[1] ?? 0);
  return port === 0 || port === serverPort ? undefined : port;
}

function tagIn(value: string): string {
  return /;tag=([^;>]+)/.exec(value)?.[1] ?? '';
}

/** Was the CSeq made from the time? */
function isMade(sip: string): boolean {
  return Number.parseInt(headerOf(sip, 'cseq'), 10) > 100_000;
}

function summary(frame: EngineFrame): string {
  if (frame.type === 'sip') return `sip ${frame.token(2)} ${kindOf(frame.sip?.text ?? '')}`;
  return `response ${frame.tokens.slice(3, 5).join(' ')} ${frame.sip === undefined ? '' : kindOf(frame.sip.text)}`.trim();
}

/** Plays one recording. */
class Replay {
  readonly differences: string[] = [];
  readonly #names = new TranscriptNames();
  readonly #clock = new ManualClock();
  readonly #stack = new AsyncDisposableStack();
  readonly #peers: Peer[] = [];
  readonly #apps = new Map<string, App>();
  readonly #recording: Recording;
  /** Recorded messages to peers: a repeat is not expected again. */
  readonly #recorded = new Set<string>();
  /** Answers to our own pings. */
  readonly #pongs = new Set<EngineFrame>();
  #engine: SipEngine | undefined;
  #admin: { host: string; port: number } = { host: '', port: 0 };
  #fence: ControlPeer | undefined;
  #port = 0;
  #nowMs = 0;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  async run(): Promise<void> {
    await using _stack = this.#stack;
    // It knows no name at all, as the network of the recorder did not.
    const dns = this.#stack.use(await DnsServer.open());
    this.#engine = this.#stack.use(
      new SipEngine({ secret: SECRET, clock: this.#clock, dnsServers: [dns.place] }),
    );
    this.#port = (await this.#engine.listenBoth('127.0.0.1', 0)).port;
    this.#names.addPort(this.#recording.port, this.#port);
    this.#admin = await this.#engine.listenAdmin({ host: '127.0.0.1', port: 0 });
    this.#fence = this.#stack.use(await ControlPeer.open(this.#admin, SECRET, []));
    await this.#openPeers();
    for (const entry of this.#recording.entries) await this.#play(entry);
    await this.#settle();
    for (const app of this.#apps.values()) {
      for (const frame of app.arrived) this.differences.push(`extra to ${app.name}: ${summary(frame)}`);
    }
    for (const peer of this.#peers) {
      for (const text of peer.arrived) this.differences.push(`extra to ${peer.name}: ${kindOf(text)}`);
    }
    this.#checkOrder();
  }

  /** What the order of frames must be whatever happens (control protocol §3.4). */
  #checkOrder(): void {
    for (const app of this.#apps.values()) {
      const echoed = new Set<string>();
      const invited = new Set<string>();
      for (const frame of app.connection.log) {
        if (frame.type === 'response') echoed.add(frame.token(10));
        const { startLine, transactionId } = frame;
        if (frame.type !== 'sip') continue;
        if (startLine.startsWith('SIP/2.0 ') && !echoed.has(transactionId)) {
          this.differences.push(`order: ${summary(frame)} before its echo`);
        }
        if (startLine.startsWith('INVITE ')) invited.add(transactionId);
        if (startLine.startsWith('CANCEL ') && !invited.has(transactionId)) {
          this.differences.push('order: CANCEL before its INVITE');
        }
      }
    }
  }

  async #openPeers(): Promise<void> {
    const { entries, port: serverPort } = this.#recording;
    const named = new Map<string, TranscriptEntry[]>();
    for (const entry of entries) {
      const name = entry.to === 'sip' ? entry.from : entry.from === 'sip' ? entry.to : undefined;
      if (name !== undefined) named.set(name, [...(named.get(name) ?? []), entry]);
    }
    for (const [name, own] of named) {
      const ports = own.map((entry) => portIn(entry, serverPort)).filter((port) => port !== undefined);
      const sure = own
        .filter((entry) => (entry.to === 'sip') !== entry.text.startsWith('SIP/2.0 ') && isSip(entry.text))
        .map((entry) => viaOf(entry.text).port);
      const chosen = new Set(sure.length > 0 ? sure : ports.slice(0, 1));
      for (const port of chosen.size === 0 ? [0] : chosen) {
        const isTcp =
          name === 'tcp' || own.some(({ text }) => isSip(text) && viaOf(text).transport === 'TCP');
        const listens = own[0]?.from === 'sip';
        const socket = this.#stack.use(
          await (isTcp ? (listens ? SipPeer.tcpListener() : SipPeer.tcp(this.#port)) : SipPeer.udp()),
        );
        if (port !== 0) this.#names.addPort(port, socket.port);
        // A TCP client names its listening port in Via and comes from another one.
        for (const { from, text } of entries) {
          const source = from === 'srv' && isTcp ? /\|tcp\|127\.0\.0\.1\|(\d+)\|/.exec(text)?.[1] : undefined;
          if (source !== undefined && !listens) this.#names.addPort(Number(source), socket.port);
        }
        this.#peers.push({ name, recordedPort: port, socket, arrived: [], seen: new Set(), taken: 0 });
      }
    }
  }

  #peerOf(name: string, entry: TranscriptEntry): Peer {
    const own = this.#peers.filter((peer) => peer.name === name);
    const port = portIn(entry, this.#recording.port);
    const found = own.find(({ recordedPort }) => recordedPort === port) ?? own[0];
    if (found === undefined) throw new Error(`no peer ${name}`);
    return found;
  }

  async #appOf(name: string): Promise<App> {
    const known = this.#apps.get(name);
    if (known !== undefined && !known.closed) return known;
    const connection = this.#stack.use(await ControlPeer.connect(this.#admin));
    const app: App = {
      name,
      connection,
      arrived: [],
      taken: 0,
      authenticated: false,
      closed: false,
      closedBySelf: false,
    };
    void connection.closed.then(() => {
      app.closed = true;
    });
    this.#apps.set(name, app);
    return app;
  }

  async #play(entry: TranscriptEntry): Promise<void> {
    const { from, to, text, note } = entry;
    if (note !== '') await this.#playNote(note);
    else if (from === 'srv') await this.#expectFrame(entry);
    else if (from === 'sip') await this.#expectMessage(entry);
    else {
      await this.#passTo(entry.atMs);
      if (to === 'srv') {
        const app = await this.#appOf(from);
        this.#sendFrame(app, text);
      } else if (to === 'sip') await this.#sendMessage(this.#peerOf(from, entry), text);
    }
  }

  async #playNote(note: string): Promise<void> {
    if (/^ +-> connection /.test(note)) {
      await this.#settle();
      const newest = [...this.#apps.values()].at(-1);
      const isOpen = note.endsWith('still open');
      if (newest?.closedBySelf === false && newest.closed === isOpen) {
        this.differences.push(`${newest.name}: ${note.trim()} | ${newest.closed ? 'closed' : 'open'}`);
      }
    }
    const [, name = ''] = /^(.+): app side closed$/.exec(note) ?? [];
    const app = this.#apps.get(name);
    if (app === undefined) return;
    await this.#settle();
    if (!app.closed) app.closedBySelf = true;
    app.connection[Symbol.dispose]();
    await app.connection.closed;
    app.closed = true;
    await this.#settle();
  }

  #sendFrame(app: App, text: string): void {
    const hash = text.indexOf('#');
    const payload = text.slice(hash + 1);
    // A length that is meant to be odd is sent as it was.
    const length = text.slice(0, hash);
    const live = this.#names.toLive(payload);
    const isOdd = !/^[1-9]\d*$/.test(length) || Math.abs(Number(length) - Buffer.byteLength(payload)) > 2;
    app.connection.write(`${isOdd ? length : Buffer.byteLength(live)}#${live}`);
  }

  async #sendMessage(peer: Peer, text: string): Promise<void> {
    const live = this.#names.toLive(text);
    const end = live.indexOf('\r\n\r\n') + 4;
    const length = Buffer.byteLength(live.slice(end));
    const was = Buffer.byteLength(text.slice(text.indexOf('\r\n\r\n') + 4));
    const fixed = live.replace(/(\r\nContent-Length: *)(\d+)/i, (whole, name: string, digits: string) =>
      Number(digits) === was ? `${name}${length}` : whole,
    );
    await peer.socket.send(fixed, this.#port);
  }

  /** Lets the clock reach the time of an entry. */
  async #passTo(atMs: number): Promise<void> {
    await this.#settle();
    if (atMs <= this.#nowMs) return;
    this.#clock.advance(atMs - this.#nowMs);
    this.#nowMs = atMs;
    await this.#settle();
  }

  /** Everything that was sent has been dealt with, and everything that follows from it has arrived. */
  async #settle(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      await this.#fence?.ask(['ping']);
      for (const { connection, authenticated, closed } of this.#apps.values()) {
        if (!authenticated || closed) continue;
        const pong = connection.ask(['ping']).then(
          (frame) => this.#pongs.add(frame),
          () => undefined,
        );
        await Promise.race([pong, connection.closed]);
      }
      for (const { socket } of this.#peers) {
        if (socket.transport === 'udp' || (socket.connections > 0 && !socket.closed)) {
          await socket.fence(this.#port);
        }
      }
    }
    this.#collect();
  }

  #collect(): void {
    for (const app of this.#apps.values()) {
      for (const frame of app.connection.log.slice(app.taken)) {
        if (!this.#pongs.has(frame)) app.arrived.push(frame);
      }
      app.taken = app.connection.log.length;
    }
    for (const peer of this.#peers) {
      for (const { text } of peer.socket.log.slice(peer.taken)) {
        if (/^Call-ID: fence-/m.test(text) || peer.seen.has(text)) continue;
        peer.seen.add(text);
        peer.arrived.push(text);
      }
      peer.taken = peer.socket.log.length;
    }
  }

  /** Looks for what is expected: now, at its time, and a little later when it comes from a timer. */
  async #await<T>(atMs: number, take: () => T | undefined): Promise<T | undefined> {
    this.#collect();
    let found = take();
    if (found !== undefined) return found;
    await this.#settle();
    found = take();
    if (found !== undefined) return found;
    const gapMs = atMs - this.#nowMs;
    await this.#passTo(atMs);
    found = take();
    if (found === undefined && this.#recording.outside) {
      const deadline = Date.now() + OUTSIDE_WORLD_MS;
      // Only looking: a request for each look would be a flood, and floods are not answered.
      while (found === undefined && Date.now() < deadline) {
        await new Promise((done) => setImmediate(done));
        this.#collect();
        found = take();
      }
    }
    if (found === undefined && gapMs > 300) {
      await this.#passTo(atMs + TIMER_SLACK_MS);
      found = take();
    }
    return found;
  }

  async #expectMessage(entry: TranscriptEntry): Promise<void> {
    const { to, text, atMs } = entry;
    const key = `${to} ${text}`;
    if (this.#recorded.has(key)) return;
    this.#recorded.add(key);
    const peer = this.#peerOf(to, entry);
    if (!isSip(text)) {
      await this.#fence?.ask(['ping']);
      await this.#fence?.ask(['ping']);
      if (peer.socket.pings !== text) this.differences.push(`to ${to}: ${JSON.stringify(text)} is missing`);
      return;
    }
    const found = await this.#await(atMs, () => this.#takeMessage(peer.arrived, text));
    if (found === undefined) this.differences.push(`missing to ${to}: ${kindOf(text)}`);
    else this.#report(`to ${to}: ${kindOf(text)}`, this.#names.compare(text, found));
  }

  /** The first message of the same kind and call. */
  #takeMessage(arrived: string[], recorded: string): string | undefined {
    const index = arrived.findIndex((text) => this.#isCounterpart(recorded, text));
    return index < 0 ? undefined : arrived.splice(index, 1)[0];
  }

  #isCounterpart(recorded: string, live: string): boolean {
    if (kindOf(recorded) !== kindOf(live)) return false;
    const [callId, liveCallId] = [headerOf(recorded, 'call-id'), headerOf(live, 'call-id')];
    const known = this.#names.known(callId);
    if (
      known === undefined ? callId !== liveCallId && this.#names.isTaken(liveCallId) : known !== liveCallId
    ) {
      return false;
    }
    const row = rowOf(recorded);
    const [to = '', liveTo = ''] = [headerOf(recorded, 'to'), headerOf(live, 'to')].map((value) =>
      tagIn(value),
    );
    // The tag of the peer is the same in both.
    if (!recorded.startsWith('SIP/2.0 ') && to !== '' && this.#names.toLive(to, row) !== liveTo) return false;
    if (known === undefined || (isMade(recorded) && !this.#names.hasRow(row))) return true;
    return this.#names.toLive(headerOf(recorded, 'cseq'), row) === headerOf(live, 'cseq');
  }

  async #expectFrame(entry: TranscriptEntry): Promise<void> {
    const app = this.#apps.get(entry.to);
    const payload = entry.text.slice(entry.text.indexOf('#') + 1);
    const end = payload.indexOf('\r\n');
    const tokens = (end < 0 ? payload : payload.slice(0, end)).split('|');
    const sip = end < 0 ? '' : payload.slice(end + 2);
    const what = `to ${entry.to}: ${tokens[1] ?? ''}`;
    const take = (): EngineFrame | undefined => {
      const arrived = app?.arrived ?? [];
      const index = arrived.findIndex((frame) => {
        if (frame.type !== tokens[1]) return false;
        if (frame.type === 'response') return frame.token(2) === this.#names.toLive(tokens[2] ?? '');
        return this.#isCounterpart(sip, frame.sip?.text ?? '');
      });
      return index < 0 ? undefined : arrived.splice(index, 1)[0];
    };
    const found = await this.#await(entry.atMs, take);
    const kind = sip === '' ? tokens.slice(3, 5).join(' ') : kindOf(sip);
    if (found === undefined) {
      this.differences.push(`missing ${what} ${kind}`);
      return;
    }
    if (found.token(3) === 'OK' && app !== undefined) app.authenticated = true;
    const differences = this.#compareTokens(tokens, found);
    if (sip !== '' && found.sip !== undefined) differences.push(...this.#names.compare(sip, found.sip.text));
    else if ((sip !== '') !== (found.sip !== undefined)) differences.push('message');
    this.#report(`${what} ${kind}`, differences);
  }

  #compareTokens(recorded: readonly string[], live: EngineFrame): string[] {
    const isSipFrame = live.type === 'sip';
    const isEcho = !isSipFrame && recorded[4] === 'application' && live.token(3) === 'OK';
    const isAnswer = recorded[4]?.startsWith('tcp/') === true || recorded[4]?.startsWith('udp/') === true;
    const offset = isSipFrame ? 0 : 2;
    const texts: string[] = [];
    if (isSipFrame || isEcho) {
      // Bytes, time, and the protocol, which the real server often leaves out.
      const ids = 8 + offset;
      this.#names.learn(recorded[ids] ?? '', live.token(ids));
      recorded.forEach((token, index) => {
        if (index === 0 || index === 7 + offset) return;
        if (index === 3 + offset && (token === '0') === (live.token(index) === '0')) return;
        if (index === 4 + offset && token === '') return;
        if (this.#names.toLive(`|127.0.0.1|${token}`, '').slice(11) === live.token(index)) return;
        if (index === 9 && isSipFrame && this.#sameDialog(token, live.token(9))) return;
        if (index === 11 && isEcho && this.#sameDialog(token, live.token(11))) return;
        texts.push(`token ${index}: ${token} | ${live.token(index)}`);
      });
      if (live.tokens.length !== recorded.length)
        texts.push(`${recorded.length} tokens | ${live.tokens.length}`);
      return texts;
    }
    if (isAnswer) return live.token(3) === 'OK' ? [] : ['not OK'];
    const [left, right] = [recorded.slice(3).join(' '), live.tokens.slice(3).join(' ')];
    if (this.#names.toLive(left) !== right) texts.push(`${left} | ${right}`);
    return texts;
  }

  #sameDialog(recorded: string, live: string): boolean {
    const known = this.#names.toLive(recorded);
    if (known === live) return true;
    const [left, right] = [recorded.split(';from-tag='), live.split(';from-tag=')];
    if (left.length !== 2 || right.length !== 2) return false;
    left.forEach((part, index) => {
      if (this.#names.known(part) === undefined) this.#names.learn(part, right[index] ?? '');
    });
    return this.#names.toLive(recorded) === live;
  }

  #report(what: string, differences: readonly string[]): void {
    for (const difference of differences) this.differences.push(`${what}: ${difference}`);
  }
}

/** Plays a recording against a new engine. Returns what differs, one line each, in order. */
export async function replayTranscript(entries: readonly TranscriptEntry[]): Promise<string[]> {
  const text = entries.map((entry) => entry.text).join('\n');
  const port = /127\.0\.0\.1:15080/.test(text) ? 15_080 : 15_060;
  const replay = new Replay({ entries, port, outside: /\.invalid|127\.0\.0\.1:1;/.test(text) });
  await replay.run();
  return replay.differences;
}
