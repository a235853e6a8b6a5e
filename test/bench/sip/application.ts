/**
 * Owns: the drachtio-srf application of the bench: a B2BUA, and a registrar that checks digests.
 * Called by: load.ts as a process of its own: ADMIN_PORT SECRET CALLED_URI. Calls: drachtio-srf.
 */
import { createHash, randomBytes } from 'node:crypto';
import DrachtioSrf from 'drachtio-srf';

interface Message {
  readonly body: string;
  readonly method: string;
  get(name: string): string | undefined;
}
interface Reply {
  send(status: number, options?: object): void;
}
interface Leg {
  readonly connected: boolean;
  on(event: 'destroy', listener: () => void): void;
  destroy(): Promise<unknown>;
}
interface Srf {
  connect(options: { host: string; port: number; secret: string }): void;
  on(event: string, listener: (error?: unknown) => void): void;
  invite(handler: (request: Message, response: Reply) => void): void;
  register(handler: (request: Message, response: Reply) => void): void;
  createB2BUA(
    request: Message,
    response: Reply,
    uri: string,
    options: { localSdpB: string },
  ): Promise<{ uas: Leg; uac: Leg }>;
}

const [port = '', secret = '', called = ''] = process.argv.slice(2);
const REALM = 'bench.example';
const NONCE = randomBytes(16).toString('hex');
const HA1 = md5(`bench:${REALM}:bench`);
const srf = new DrachtioSrf() as unknown as Srf;

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function isRight(authorization: string, method: string): boolean {
  const param = (name: string): string =>
    new RegExp(`[ ,]${name}="?([^",]*)"?`).exec(authorization)?.[1] ?? '';
  const ha2 = md5(`${method}:${param('uri')}`);
  const expected = md5(`${HA1}:${NONCE}:${param('nc')}:${param('cnonce')}:auth:${ha2}`);
  return param('nonce') === NONCE && param('response') === expected;
}

// drachtio-srf asks the environment for each header of each message; Node asks the system each time.
process.env = { ...process.env };
srf.on('error', () => undefined);
srf.invite((request, response) => {
  srf.createB2BUA(request, response, called, { localSdpB: request.body }).then(
    ({ uas, uac }) => {
      uas.on('destroy', () => void uac.destroy().catch(() => undefined));
      uac.on('destroy', () => void uas.destroy().catch(() => undefined));
      // The caller may have hung up before there was anybody to hear of it.
      if (!uas.connected) void uac.destroy().catch(() => undefined);
    },
    () => undefined,
  );
});
srf.register((request, response) => {
  const authorization = request.get('Authorization');
  if (authorization !== undefined && isRight(authorization, request.method)) {
    response.send(200, { headers: { Contact: request.get('Contact'), Expires: '600' } });
    return;
  }
  const challenge = `Digest realm="${REALM}", nonce="${NONCE}", qop="auth", algorithm=MD5`;
  response.send(401, { headers: { 'WWW-Authenticate': challenge } });
});
srf.on('connect', () => {
  process.stdout.write('ready\n');
});
process.on('SIGTERM', () => process.exit(0));
srf.connect({ host: '127.0.0.1', port: Number(port), secret });
