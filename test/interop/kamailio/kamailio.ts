/**
 * Owns: a Kamailio of Debian's on free ports of this machine: registrar and proxy, or a proxy in front of a server.
 * Called by: test/interop/kamailio-*.test.ts. Calls: /usr/sbin/kamailio.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';

const PROGRAM = '/usr/sbin/kamailio';
export const MODULES = '/usr/lib/x86_64-linux-gnu/kamailio/modules';

/** Why Kamailio cannot be run here, or `undefined`. */
export const kamailioMissing: string | undefined =
  existsSync(PROGRAM) && existsSync(`${MODULES}/tls.so`) && existsSync(`${MODULES}/outbound.so`)
    ? undefined
    : `${PROGRAM} is not installed (Debian packages kamailio, kamailio-tls-modules, kamailio-outbound-modules): nothing is tested against it`;

export interface KamailioOptions {
  /** The domain that it is responsible for, or in front of. */
  readonly domain: string;
  /** User to password: it registers them itself. */
  readonly users?: Readonly<Record<string, string>>;
  /** It registers nobody, but sends everything on to this `sip:` URI, with Record-Route and Path. */
  readonly server?: string;
  /** Without it there is no TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}

/** A running Kamailio. */
export interface Kamailio extends AsyncDisposable {
  /** UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  /** What it has written. */
  readonly log: () => string;
}

function configure(options: KamailioOptions, folder: string, port: number, tlsPort: number): string {
  const { domain, users = {}, server, certificate } = options;
  const modules = ['tm', 'tmx', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'usrloc', 'registrar'];
  modules.push('auth', 'path', 'outbound', 'stun', 'nathelper', 'corex', 'kex', 'xlog');
  const password = Object.entries(users)
    .map(([user, secret]) => `  if ($au == "${user}" || $fU == "${user}") $var(password) = "${secret}";`)
    .join('\n');
  return `#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
alias="${domain}"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${certificate === undefined ? '' : `enable_tls=yes\nlisten=tls:127.0.0.1:${tlsPort}`}
tcp_accept_no_cl=yes
mpath="${MODULES}/"
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
${certificate === undefined ? '' : `loadmodule "tls.so"\nmodparam("tls", "certificate", "${folder}/cert.pem")\nmodparam("tls", "private_key", "${folder}/key.pem")\nmodparam("tls", "tls_method", "TLSv1.2+")`}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 1)
modparam("registrar", "received_avp", "$avp(received)")
modparam("nathelper", "received_avp", "$avp(received)")
modparam("path", "use_received", 1)
modparam("rr", "append_fromtag", 1)
modparam("tm", "fr_timer", 5000)

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) {
      if (is_method("INVITE")) record_route();
      t_relay();
      exit;
    }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  if (is_method("ACK")) exit;
  t_check_trans();
  ${
    server === undefined
      ? ''
      : `# In front of a server: what comes from it goes where its Route says.
  if (loose_route()) { if (is_method("INVITE|SUBSCRIBE")) record_route(); t_relay(); exit; }
  if (is_method("REGISTER")) add_path_received();
  if (is_method("INVITE|SUBSCRIBE")) record_route();
  $du = "${server}";
  t_relay();
  exit;`
  }
  ${server === undefined ? 'route(LOCAL);' : ''}
}

route[LOCAL] {
  $var(password) = "";
${password}
  if (is_method("REGISTER")) {
    if ($var(password) == "" || !pv_www_authenticate("${domain}", "$var(password)", "0")) { www_challenge("${domain}", "1"); exit; }
    fix_nated_register();
    if (!save("location")) sl_reply_error();
    exit;
  }
  remove_hf("Route");
  if ($var(password) != "") {
    if (!pv_proxy_authenticate("${domain}", "$var(password)", "0")) { proxy_challenge("${domain}", "1"); exit; }
    consume_credentials();
  }
  if (is_method("INVITE|SUBSCRIBE")) record_route();
  if (!lookup("location")) { t_newtran(); t_reply("404", "Not Found"); exit; }
  t_relay();
  exit;
}
`;
}

/** Starts it; resolves when it answers. Rejects with what it wrote when it ends instead. */
export async function startKamailio(options: KamailioOptions): Promise<Kamailio> {
  const port = await freePort();
  const tlsPort = await freePort();
  const running = await runKamailio(port, options.certificate, (folder) =>
    configure(options, folder, port, tlsPort),
  );
  return { ...running, port, tlsPort };
}

/** Runs it with what `write` makes of a folder; resolves when it answers on UDP at `port`. */
export async function runKamailio(
  port: number,
  certificate: KamailioOptions['certificate'],
  write: (folder: string) => string,
  /** Further files that it reads. */
  prepare: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<Pick<Kamailio, 'log'> & AsyncDisposable> {
  // Its sockets for control commands have a short limit of their names.
  const folder = await mkdtemp('/tmp/kam-');
  await chmod(folder, 0o755);
  if (certificate !== undefined) {
    await writeFile(join(folder, 'cert.pem'), certificate.cert);
    await writeFile(join(folder, 'key.pem'), certificate.key);
  }
  const file = join(folder, 'main.cfg');
  await prepare(folder);
  await writeFile(file, write(folder));
  let log = '';
  const child = spawn(PROGRAM, ['-f', file, '-DD', '-E', '-Y', folder, '-w', folder, '-m', '64'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString('utf8');
  });
  const ended = once(child, 'exit');
  try {
    await Promise.race([
      answers(port),
      ended.then(() => Promise.reject(new Error(`Kamailio ended:\n${log}`))),
    ]);
  } catch (error) {
    await stop(child, ended, folder);
    throw error;
  }
  return { log: () => log, [Symbol.asyncDispose]: () => stop(child, ended, folder) };
}

async function stop(child: ChildProcess, ended: Promise<unknown>, folder: string): Promise<void> {
  child.kill('SIGTERM');
  await ended;
  await rm(folder, { recursive: true, force: true });
}

/** Asks by UDP until there is any answer. */
async function answers(port: number): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const probe =
    `OPTIONS sip:127.0.0.1:${port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${socket.address().port};rport;branch=z9hG4bKprobe\r\n` +
    'From: <sip:probe@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n' +
    'Max-Forwards: 0\r\nContent-Length: 0\r\n\r\n';
  const timer = setInterval(() => {
    socket.send(probe, port, '127.0.0.1');
  }, 50);
  socket.on('error', () => undefined);
  await once(socket, 'message');
  clearInterval(timer);
  socket.close();
}
