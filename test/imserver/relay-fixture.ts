/**
 * Owns: a relay with users on a free port of the loopback, and clients written from RFC 4976 and 7616, byte by byte.
 * Called by: tests of the relay. Calls: main/imserver/msrp-relay.ts.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMSERVER_LIMITS } from '../../main/base/limits.ts';
import { silentLog } from '../../main/base/log.ts';
import { MsrpRelay, type MsrpRelayOptions } from '../../main/imserver/msrp-relay.ts';
import { PasswordCheck } from '../../main/imserver/password-check.ts';
import { UserFile } from '../../main/imserver/user-file.ts';
import { MsrpPeer, requestText, type PeerFrame } from '../support/msrp-peer.ts';

const REALM = 'chat.home.arpa';
const HASHES = { 'SHA-256': 'sha256', MD5: 'md5' } as const;

interface SignIn {
  readonly password?: string;
  readonly algorithm?: keyof typeof HASHES;
  readonly headers?: Readonly<Record<string, string>>;
}

export class RelayWorld implements AsyncDisposable {
  readonly relay: MsrpRelay;
  readonly users: UserFile;
  readonly #folder: string;
  #serial = 0;

  private constructor(relay: MsrpRelay, users: UserFile, folder: string) {
    this.relay = relay;
    this.users = users;
    this.#folder = folder;
  }

  static async open(options: Partial<MsrpRelayOptions> = {}): Promise<RelayWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'parley-relay-'));
    const users = new UserFile(folder, REALM);
    for (const user of ['bob', 'tom', 'eve']) await users.add(user, `secret of ${user}`);
    const { clock } = options;
    const passwords = new PasswordCheck({
      users,
      realm: REALM,
      limits: { ...IMSERVER_LIMITS, maxWrongPasswords: 3, maxWrongPasswordsPerAddress: 5 },
      ...(clock ? { clock } : {}),
    });
    const relay = await MsrpRelay.start({
      passwords,
      users,
      log: silentLog,
      host: '127.0.0.1',
      port: 0,
      plain: true,
      ...options,
    });
    return new RelayWorld(relay, users, folder);
  }

  get uri(): string {
    return `msrp://127.0.0.1:${this.relay.port};tcp`;
  }

  /** A connection that has said nothing yet. */
  async connect(name: string, localAddress = '127.0.0.1'): Promise<RelayClient> {
    const socket = net.connect({ host: '127.0.0.1', port: this.relay.port, localAddress, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RelayClient(socket, `msrp://127.0.0.1:9/${name}-${++this.#serial};tcp`, this.uri);
  }

  /** A user who has his place. */
  async join(user: string): Promise<RelayClient> {
    const client = await this.connect(user);
    const answer = await client.signIn(user);
    if (answer.kind !== '200 OK') throw new Error(`${user} was answered ${answer.kind}`);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.relay[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export class RelayClient extends MsrpPeer {
  readonly #relay: string;
  #auths = 0;
  /** The Use-Path that it was given last. */
  usePath = '';
  nonce = '';

  constructor(socket: net.Socket, path: string, relay: string) {
    super(socket, path);
    this.#relay = relay;
  }

  /** What others write into To-Path: the place first. */
  get route(): string {
    return `${this.usePath} ${this.path}`;
  }

  /** One AUTH and its answer. */
  async auth(headers: Record<string, string> = {}): Promise<PeerFrame> {
    const id = `auth${++this.#auths}x${this.path.length}`;
    this.send(requestText({ id, method: 'AUTH', to: this.#relay, from: this.path, headers }));
    return this.frame();
  }

  /** Challenge and answer. */
  async signIn(
    user: string,
    { password = `secret of ${user}`, algorithm = 'SHA-256', headers = {} }: SignIn = {},
  ): Promise<PeerFrame> {
    const challenge = await this.auth();
    if (!challenge.kind.startsWith('401')) return challenge;
    this.nonce = /nonce="([^"]+)"/.exec(challenge.raw.toString())?.[1] ?? '';
    return this.answerChallenge(user, { password, algorithm, headers });
  }

  /** AUTH with the nonce at hand; `nc` 1 unless said otherwise (RFC 7616 §3.4.1, computed here anew). */
  async answerChallenge(
    user: string,
    {
      password = `secret of ${user}`,
      algorithm = 'SHA-256',
      nc = 1,
      headers = {},
    }: SignIn & { readonly nc?: number } = {},
  ): Promise<PeerFrame> {
    const h = (text: string) => createHash(HASHES[algorithm]).update(text).digest('hex');
    const count = nc.toString(16).padStart(8, '0');
    const a1 = h(`${user}:${REALM}:${password}`);
    const response = h(`${a1}:${this.nonce}:${count}:c0ffee:auth:${h(`AUTH:${this.#relay}`)}`);
    const answer = await this.auth({
      ...headers,
      Authorization: `Digest username="${user}", realm="${REALM}", nonce="${this.nonce}", uri="${this.#relay}", response="${response}", algorithm=${algorithm}, cnonce="c0ffee", nc=${count}, qop=auth`,
    });
    this.usePath = answer.headers.get('Use-Path') ?? this.usePath;
    return answer;
  }

  /** A SEND through our place; `to`: where it goes behind it. */
  post(
    id: string,
    to: string,
    more: { headers?: Record<string, string>; body?: string | Buffer; flag?: string } = {},
  ): void {
    this.send(requestText({ id, to: `${this.usePath} ${to}`, from: this.path, ...more }));
  }

  /** Waits until at least so many bytes have come. */
  async untilReceived(bytes: number): Promise<void> {
    while (this.received.length < bytes) await new Promise((done) => setImmediate(done));
  }
}
