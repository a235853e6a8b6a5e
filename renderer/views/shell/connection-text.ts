/** Owns: the words for an account's connection. Called by: shell and settings views. Calls: i18n. */
import type { Account } from '../../../shared/domain/account.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

export function connectionText({ connection }: Account, locale: Locale): string {
  switch (connection.status) {
    case 'online':
      return locale.t('account.online');
    case 'refused':
      return locale.t('account.refused', { reason: connection.reason });
    case 'connecting':
      return connection.reason === undefined
        ? locale.t('account.connecting')
        : locale.t('account.connectingBecause', { reason: connection.reason });
    case 'offline':
      return connection.reason === undefined
        ? locale.t('account.offline')
        : locale.t('account.offlineBecause', { reason: connection.reason });
  }
}
