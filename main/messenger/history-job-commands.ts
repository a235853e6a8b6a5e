/**
 * Owns: the calls of the contract that export a history and take one in. Called by: commands.ts. Calls: history-jobs.ts.
 */
import type { CallName } from '../../shared/ipc/contract.ts';
import type { Commands } from './commands.ts';
import type { HistoryJobs } from './history-jobs.ts';

export function historyJobCommands(jobs: HistoryJobs): Pick<Commands, Extract<CallName, `job.${string}`>> {
  return {
    'job.current': () => Promise.resolve(jobs.current),
    'job.export': (input) => jobs.export(input),
    'job.stage': async (input) => {
      await jobs.stage(input);
      return null;
    },
    'job.import': ({ staged, kind }) => jobs.import(staged, kind),
    'job.stop': () => jobs.stop(),
    'job.resume': ({ passphrase }) => Promise.resolve(jobs.resume(passphrase)),
    'job.dismiss': () => {
      jobs.dismiss();
      return Promise.resolve(null);
    },
    'job.reveal': async () => {
      await jobs.reveal();
      return null;
    },
  };
}
