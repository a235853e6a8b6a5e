/**
 * Owns: the relay of the bench, as a process of its own. Called by: load.ts as a process. Calls: main/imserver.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../main/base/log.ts';
import { MsrpRelay } from '../../../main/imserver/msrp-relay.ts';
import { PasswordCheck } from '../../../main/imserver/password-check.ts';
import { UserFile } from '../../../main/imserver/user-file.ts';
import { BENCH_USERS, type RelayReady } from './process-protocol.ts';

const REALM = 'chat.home.arpa';
const folder = await mkdtemp(join(tmpdir(), 'parley-bench-relay-'));
const users = new UserFile(folder, REALM);
for (const [user, password] of Object.entries(BENCH_USERS)) await users.add(user, password);
const relay = await MsrpRelay.start({
  passwords: new PasswordCheck({ users, realm: REALM }),
  users,
  log: silentLog,
  host: '127.0.0.1',
  port: 0,
  plain: true,
  limits: { maxStreamsPerConnection: 10_000 },
});
process.on('message', () => {
  for (let round = 0; round < 4; round++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
});
process.on('disconnect', () => {
  void (async () => {
    await relay[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  })();
});
process.send?.({ uris: relay.uris, announcement: await relay.announcement() } satisfies RelayReady);
