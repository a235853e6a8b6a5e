/**
 * Owns: the sockets of a connection report: its own, so that what runs is left alone.
 * Called by: messenger.ts. Calls: network.ts, connection-report.ts.
 */
import type { ConnectionReport } from '../../shared/domain/connection-report.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { Log } from '../base/log.ts';
import { runFolderOf } from '../sip/embedded-agent.ts';
import { mediaOf, type AccountMedia } from './account-media.ts';
import { reportConnection } from './connection-report.ts';
import { Network } from './network.ts';
import type { SettingBook } from './setting-book.ts';
import { bindAddressFor, type ServerPlace } from './server-ways.ts';

export interface ConnectionTestOptions {
  readonly profile: string;
  readonly ca: readonly string[];
  readonly settings: SettingBook;
  readonly log: Log;
}

/** Tests the way to a server. Never rejects. */
export async function testConnection(
  { profile, ca, settings, log }: ConnectionTestOptions,
  place: ServerPlace & AccountMedia,
  password: string,
): Promise<ConnectionReport> {
  await using lifetime = new Lifetime();
  return await reportConnection({
    place,
    password,
    ca,
    ...mediaOf(place, settings.values, (key) => settings.isLocked(key)),
    openNetwork: async () => {
      const network = lifetime.own(
        await Network.open({
          runFolder: runFolderOf(profile),
          engine: { kind: 'embedded' },
          bindAddress: settings.values['network.bindAddress'] || bindAddressFor([place]),
          tap: () => undefined,
          log,
          ca,
        }),
      );
      return { agent: network.agent, msrp: network.msrp };
    },
  });
}
