/** Owns: one test of the way to a server, and its report as text. Called by: ConnectionCheck.svelte. Calls: accounts. */
import type { ConnectionReport } from '../../shared/domain/connection-report.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import type { Locale } from '../i18n/locale.svelte.ts';
import type { Accounts } from './accounts.svelte.ts';

export class ConnectionCheck {
  readonly #accounts: Accounts;
  busy = $state(false);
  report = $state.raw<ConnectionReport | null>(null);
  problem = $state.raw<unknown>(null);

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  async run(input: CallInput<'account.diagnose'>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.report = null;
    this.problem = null;
    try {
      this.report = await this.#accounts.diagnose(input);
    } catch (error) {
      this.problem = error;
    } finally {
      this.busy = false;
    }
  }

  /** For the clipboard: one line a step. */
  text(locale: Locale): string {
    const steps = this.report?.steps ?? [];
    return steps
      .map(({ step, outcome, detail }) =>
        [`${locale.t(`check.step.${step}`)}: ${locale.t(`check.${outcome}`)}`, detail].join('\n  '),
      )
      .join('\n');
  }
}
