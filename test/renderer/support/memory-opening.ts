/**
 * Owns: what stands before a window, its passphrase, and what it only reads, answered from memory.
 * Called by: memory-backend.ts. Calls: nothing.
 */
import type { HistoryLockStatus } from '../../../shared/domain/history.ts';
import type { Opening } from '../../../shared/domain/opening.ts';
import type { CallName, CheckedInput, EventData, EventName } from '../../../shared/ipc/contract.ts';
import { Refusal } from './memory-refusal.ts';
import type { World } from './memory-backend.ts';

type Handled = Extract<CallName, `opening.${string}` | `lock.${string}` | `reading.${string}`>;
type Handlers = { [Name in Handled]: (input: CheckedInput<Name>) => unknown };
type Publish = <Name extends EventName>(event: Name, data: EventData<Name>) => void;

const RECOVERY_KEY = '3F7K-9QXM-2TVB-8HNC-5RWD-1GJZ-6PSE-4YAK-Q0MT';
const NO_LOCK: HistoryLockStatus = { passphrase: false, keyring: false, required: false };

/** "right" is the passphrase; whatever else is given is wrong, and the third time has a pause. */
export function openingHandlers(world: World, publish: Publish): Handlers {
  const unlock = (given: string): Opening => {
    const before = world.opening;
    if (before?.state !== 'locked') throw new Refusal('not-allowed', 'Nothing is asked for.');
    const isRight = given === 'right';
    const failures = before.failures + 1;
    const opening: Opening = isRight
      ? { state: 'open' }
      : { ...before, failures, againAtMs: failures < 3 ? null : Date.now() + 60_000 };
    world.opening = opening;
    publish('opening.changed', { opening });
    if (!isRight) throw new Refusal('wrong-password', 'That is not the passphrase.');
    return opening;
  };
  const lock = (): HistoryLockStatus => world.lock ?? NO_LOCK;
  const changeLock = (passphrase: boolean): void => {
    world.lock = { ...lock(), passphrase };
    publish('lock.changed', { lock: world.lock });
  };
  const check = (current: string | undefined): void => {
    if (current !== 'right') throw new Refusal('wrong-password', 'That is not the passphrase.');
  };
  return {
    'opening.status': () => world.opening ?? { state: 'open' },
    'opening.unlock': (answer) => unlock('passphrase' in answer ? answer.passphrase : answer.recoveryKey),
    'reading.status': () => world.reading ?? null,
    'reading.open': () => ({ url: null }),
    'lock.status': lock,
    'lock.setPassphrase': ({ current }) => {
      const isFirst = !lock().passphrase;
      if (!isFirst) check(current);
      changeLock(true);
      return { recoveryKey: isFirst ? RECOVERY_KEY : null };
    },
    'lock.newRecoveryKey': ({ current }) => {
      check(current);
      return { recoveryKey: RECOVERY_KEY };
    },
    'lock.remove': ({ current }) => {
      check(current);
      changeLock(false);
      return null;
    },
  };
}
