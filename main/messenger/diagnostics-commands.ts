/**
 * Owns: the call that writes a report. Called by: commands.ts. Calls: diagnostics.ts.
 */
import type { CommandOptions, Commands } from './commands.ts';
import { collectDiagnostics } from './diagnostics.ts';
import { saveOrReturn } from './ladder-commands.ts';

export function diagnosticsCommands({
  messenger,
  app,
  desktop,
}: CommandOptions): Pick<Commands, 'app.diagnostics'> {
  return {
    'app.diagnostics': async () => {
      const { profile, settings, policy, store, ladder } = messenger;
      const stored = await store.call('selectAccounts', null);
      const accounts = stored.map((account) => messenger.shown(account));
      const bytes = await collectDiagnostics({
        app,
        profile,
        settings,
        policy,
        accounts,
        store,
        wire: ladder.recent,
      });
      return saveOrReturn(desktop, `parley-report-${new Date().toISOString().slice(0, 10)}.zip`, bytes);
    },
  };
}
