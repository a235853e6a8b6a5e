/**
 * Owns: the calls about newer versions of the program. Called by: commands.ts. Calls: the host's UpdateControl.
 */
import { noUpdate, type Update } from '../../shared/domain/update.ts';
import type { CallName } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Commands } from './commands.ts';

/** What a host does that can replace its own program. */
export interface UpdateControl {
  status(): Update;
  /** @throws CallError `not-allowed` where nobody looks. */
  check(): Promise<Update>;
  /** @throws CallError `not-found` when nothing is ready, `busy` while something would be interrupted. */
  restart(): void;
}

/** A host whose program is replaced by others: in a browser, without a window. */
export const noUpdates: UpdateControl = {
  status: () => noUpdate,
  check: () => Promise.reject(new CallError('not-allowed', 'This program does not update itself.')),
  restart: () => {
    throw new CallError('not-found', 'There is nothing to install.');
  },
};

export function updateCommands(
  control: UpdateControl,
): Pick<Commands, Extract<CallName, `update.${string}`>> {
  return {
    'update.status': () => Promise.resolve(control.status()),
    'update.check': () => control.check(),
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is what the call returns
    'update.restart': async () => {
      control.restart();
      return null;
    },
  };
}
