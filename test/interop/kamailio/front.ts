/**
 * Owns: Kamailio in front of nodes, with the files of build/deploy, in which only addresses and ports are filled in.
 * Called by: cluster.ts, other-domains.test.ts. Calls: kamailio.ts.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { keptPort } from '../../support/free-port.ts';
import { MODULES, runKamailio } from './kamailio.ts';

const DEPLOY = resolve(import.meta.dirname, '../../../build/deploy/kamailio');

export interface FrontOptions {
  readonly domain: string;
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Ports of the nodes, TCP on 127.0.0.1. */
  readonly nodes: readonly number[];
  /** For Kamailio's own registrar and relay. */
  readonly usersDatabase?: string;
  /** Words of local.cfg that are switched on. */
  readonly define?: readonly string[] | undefined;
}

/** A running Kamailio on 127.0.0.1. */
export interface Front extends AsyncDisposable {
  /** UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  readonly relayPort: number;
  /** What it has written. */
  readonly log: () => string;
}

/** Resolves when it answers. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { domain, certificate, nodes, usersDatabase = 'postgres://nobody@127.0.0.1/none' } = options;
  const [port, tlsPort, inner, relayPort] = [
    await keptPort(),
    await keptPort(),
    await keptPort(),
    await keptPort(),
  ];
  const kamailio = await runKamailio(
    port,
    certificate,
    (place) => `include_file "${place}/kamailio.cfg"\n`,
    async (place) => {
      const list = nodes.map((node) => `1 sip:127.0.0.1:${node};transport=tcp\n`).join('');
      await writeFile(join(place, 'dispatcher.list'), list);
      await writeFile(join(place, 'kamailio.cfg'), await readFile(join(DEPLOY, 'kamailio.cfg')));
      const local = fillIn(await readFile(join(DEPLOY, 'local.cfg'), 'utf8'), {
        CHAT_DOMAIN: domain,
        EDGE_ADDRESS: '127.0.0.1',
        EDGE_PORT: String(port),
        EDGE_TLS_PORT: String(tlsPort),
        TLS_CERTIFICATE: `${place}/cert.pem`,
        TLS_KEY: `${place}/key.pem`,
        INNER_ADDRESS: '127.0.0.1',
        INNER_PORT: String(inner),
        MODULE_FOLDER: `${MODULES}/`,
        DISPATCHER_LIST: `${place}/dispatcher.list`,
        USERS_DATABASE: usersDatabase,
        MSRP_RELAY_PORT: String(relayPort),
        MSRP_RELAY_NAME: '127.0.0.1',
      });
      const words = (options.define ?? []).map((word) => `#!define ${word}\n`);
      await writeFile(join(place, 'local.cfg'), [...words, local].join(''));
    },
  );
  return {
    ...{ port, tlsPort, relayPort, log: kamailio.log },
    [Symbol.asyncDispose]: () => kamailio[Symbol.asyncDispose](),
  };
}

/** Each value stands in a line of its own; one that is missing there would be a mistake in the file. */
function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values).reduce((filled, [name, value]) => {
    const line = new RegExp(`^(#!substdef "!${name}!)[^!]*(!g")$`, 'm');
    if (!line.test(filled)) throw new Error(`local.cfg has no ${name}`);
    return filled.replace(line, (_all, before: string, after: string) => `${before}${value}${after}`);
  }, text);
}
