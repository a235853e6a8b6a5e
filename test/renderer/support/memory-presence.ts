/** Owns: the calls about presence and rules, answered from memory. Called by: memory-backend. Calls: nothing. */
import type { AccountPresence } from '../../../shared/domain/presence.ts';
import type { CheckedInput } from '../../../shared/ipc/contract.ts';
import type { PresenceOutputs } from '../../../shared/ipc/presence-calls.ts';
import type { World } from './memory-backend.ts';

export function presenceHandlers(backend: {
  world: World;
  publishAccount: (account: AccountPresence) => void;
}) {
  const { world } = backend;
  const list = (): PresenceOutputs['presence.list'] =>
    world.presence ?? { own: { show: 'available', isIdle: false }, seen: [], accounts: [] };
  return {
    'presence.list': list,
    'presence.active': () => null,
    'rule.set': ({ accountId, address, ...change }: CheckedInput<'rule.set'>) => {
      const before = list();
      const account = before.accounts.find((one) => one.accountId === accountId) ?? {
        ...{ accountId, isPublished: true, rulesAt: 'server' as const, rules: [], asks: [] },
      };
      const known = account.rules.find((rule) => rule.address === address);
      const rule = { address, presence: 'ask' as const, blocked: false, ...known, ...change };
      const others = account.rules.filter((one) => one.address !== address);
      const changed: AccountPresence = {
        ...account,
        rules: rule.presence === 'ask' && !rule.blocked ? others : [...others, rule],
        asks: account.asks.filter((one) => one !== address),
      };
      world.presence = {
        ...before,
        accounts: [...before.accounts.filter((one) => one.accountId !== accountId), changed],
      };
      backend.publishAccount(changed);
      return changed;
    },
  };
}
