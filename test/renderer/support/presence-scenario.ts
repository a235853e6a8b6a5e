/** Owns: a world in which people are there, away, blocked and asking. Called by: scenarios. Calls: nothing. */
import type { PresenceShow } from '../../../shared/domain/presence.ts';
import type { World } from './memory-backend.ts';

const DOMAIN = 'chat.home.arpa';

export function addPresence(world: World): void {
  const [account] = world.accounts;
  if (account === undefined) throw new Error('nobody is signed in');
  const accountId = account.id;
  const seen = (user: string, show: PresenceShow, note = '') => ({
    accountId,
    address: `${user}@${DOMAIN}`,
    state: { show, note },
  });
  world.presence = {
    own: { show: 'available', isIdle: false },
    seen: [
      seen('tom', 'available', 'At the pilot site until Thursday, call only when it burns'),
      seen('ana', 'away'),
      seen('lixiaolong', 'dnd', '会议中'),
      seen('support', 'offline'),
    ],
    accounts: [
      {
        accountId,
        isPublished: true,
        rulesAt: 'server',
        rules: [
          { address: `tom@${DOMAIN}`, presence: 'allow', blocked: false },
          { address: `vera@${DOMAIN}`, presence: 'block', blocked: false },
          { address: `maria@${DOMAIN}`, presence: 'ask', blocked: true },
        ],
        asks: [`kim@${DOMAIN}`, `maximiliana.alexandrovna.von-und-zu-hohenlohe@${DOMAIN}`, `noor@${DOMAIN}`],
      },
    ],
  };
}
