import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkServerConfig, ConfigError, readCertificate } from '../../main/imserver/server-config.ts';
import { Authority, hasOpenssl } from '../support/certificates.ts';
import { DOMAIN, World } from '../support/im-world.ts';

const missing = hasOpenssl() ? undefined : 'openssl is not installed: the IM Server is not tested over TLS';
if (missing !== undefined) console.log(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('the IM Server over TLS', () => {
  it('people on TLS and on TCP talk; calls go back over the connections that the devices have opened', async () => {
    const authority = new Authority('Home CA');
    const { cert, key } = authority.issue({ names: [`DNS:${DOMAIN}`, 'IP:127.0.0.1'] });
    const folder = await mkdtemp(join(tmpdir(), 'imserver-tls-'));
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    await using world = await World.open(['bob', 'tom'], { tls: files });
    await rm(folder, { recursive: true });
    const secure = world.server.sip.find((uri) => uri.endsWith('transport=tls'));
    expect(secure).toBe(`sip:127.0.0.1:${world.server.tlsPort};transport=tls`);
    const bob = await world.openPerson('bob', { ca: [authority.cert] });
    await bob.signIn(secure ?? '');
    const tom = await world.join('tom');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    const answer = await tom.send(ofTom, 'to somebody on TLS');
    await tom.becomes(answer, 'delivered', 'displayed');
    const sent = await bob.send(ofBob, 'and from him');
    await bob.becomes(sent, 'delivered', 'displayed');
    const { id } = await tom.session(ofTom, 'open');
    await tom.commands['session.end']({ sessionId: id });
    await bob.session(ofBob, 'ended');
  });
});

it('a certificate that cannot be read is said by its file', async () => {
  const { tls } = checkServerConfig({ data: '/d', tls: { cert: '/nowhere/cert.pem', key: '/k' } }, 'test');
  expect(tls?.port).toBe(5_061);
  await expect(readCertificate(tls ?? { cert: '', key: '', port: 0 })).rejects.toThrow(ConfigError);
  await expect(readCertificate(tls ?? { cert: '', key: '', port: 0 })).rejects.toThrow('/nowhere/cert.pem');
});
