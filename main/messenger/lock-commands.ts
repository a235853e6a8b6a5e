/**
 * Owns: the calls about the passphrase of the history. Called by: commands.ts. Calls: history-lock.ts.
 */
import type { CallName } from '../../shared/ipc/contract.ts';
import type { Commands } from './commands.ts';
import type { HistoryLock } from './history-lock.ts';

export function lockCommands(lock: HistoryLock): Pick<Commands, Extract<CallName, `lock.${string}`>> {
  return {
    'lock.status': () => lock.status(),
    'lock.setPassphrase': async ({ passphrase, current }) => ({
      recoveryKey: await lock.setPassphrase(passphrase, current),
    }),
    'lock.newRecoveryKey': async ({ current }) => ({ recoveryKey: await lock.newRecoveryKey(current) }),
    'lock.remove': ({ current }) => lock.remove(current),
  };
}
