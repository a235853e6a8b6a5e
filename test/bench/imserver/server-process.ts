/**
 * Owns: the IM Server of the bench, as a process of its own. Called by: figures.ts as a process. Calls: main/imserver.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../../main/base/log.ts';
import { ImServer } from '../../../main/imserver/imserver.ts';
import { checkServerConfig } from '../../../main/imserver/server-config.ts';
import { hashesOf } from '../../../main/imserver/user-file.ts';
import { DOMAIN, passwordOf } from '../../support/im-world.ts';
import { userName, USERS, type ServerAnswer, type ServerAsk } from './process-protocol.ts';

const folder = await mkdtemp(join(tmpdir(), 'parley-bench-imserver-'));
const users = Object.fromEntries(
  Array.from({ length: USERS }, (_, index) => {
    const user = userName(index);
    return [user, { ha1: hashesOf(user, DOMAIN, passwordOf(user)) }];
  }),
);
await writeFile(join(folder, 'users.json'), JSON.stringify({ realm: DOMAIN, users }));
const server = await ImServer.start({
  config: checkServerConfig({ domain: DOMAIN, data: folder, rooms: { plain: true } }, 'bench'),
  log: silentLog,
  // Everybody comes at once, which the server would spread over some minutes.
  limits: { registersPerS: 1_000_000, maxWatchedAttempts: 100_000, maxNonces: 100_000 },
});

async function answer(ask: ServerAsk): Promise<ServerAnswer> {
  if (ask.ask === 'room')
    await server.rooms?.rooms.create({ owner: userName(0), title: ask.name, name: ask.name });
  for (let round = 0; round < 4; round++) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { rss, heap: heapUsed + external, cpuMs: (user + system) / 1_000, sessions: server.sessionCount };
}

process.on('message', (ask: ServerAsk) => {
  void answer(ask).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => {
  void (async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  })();
});
process.send?.({ port: server.port });
