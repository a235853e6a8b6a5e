/** Owns: the words for an account's connection. Called by: shell, welcome and settings views. Calls: i18n. */
import type { Account } from '../../../shared/domain/account.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';
import { serverOf } from '../../state/server-name.ts';

/** One or two words. */
export function connectionLabel({ connection }: Account, locale: Locale): string {
  return locale.t(`account.${connection.status}`);
}

/** Why the account is not online, in a sentence; empty when there is nothing to say. */
export function connectionReason(account: Account, locale: Locale): string {
  const { connection } = account;
  if (connection.status === 'online' || connection.status === 'offline') return '';
  const { code, reason = '' } = connection;
  if (code === undefined || (locale.language === 'en' && reason !== '')) return reason;
  return locale.t(`account.reason.${code}`, { address: account.address, server: serverOf(account) });
}

export function connectionText(account: Account, locale: Locale): string {
  return [connectionLabel(account, locale), connectionReason(account, locale)]
    .filter((part) => part !== '')
    .join(' · ');
}
