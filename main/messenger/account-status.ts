/**
 * Owns: an account as it is shown, and what the server's refusals mean in words. Called by: account-link.ts, messenger.ts.
 * Calls: nothing.
 */
import type { Account, AccountReasonCode, AccountStatus } from '../../shared/domain/account.ts';
import type { StoredAccount } from '../store/accounts.ts';

/** An account with its connection, without its secret. */
export function shownAccount(stored: StoredAccount, connection: AccountStatus): Account {
  const { id, address, displayName, server, transport = 'auto', proxies = [], kind } = stored;
  const { mediaPath = 'settings', relays = [] } = stored;
  const own = { transport, proxies: [...proxies], mediaPath, relays: [...relays] };
  return { id, address, displayName, server, ...own, kind, connection };
}

export const REASON_OF_STATUS: Readonly<Record<number, AccountReasonCode>> = {
  0: 'certificate',
  401: 'wrong-password',
  403: 'forbidden',
  404: 'unknown-address',
  407: 'wrong-password',
  429: 'try-later',
};

export function refusalInWords(code: number, reason: string, address: string): string {
  switch (code) {
    case 401:
    case 407:
      return `The password for ${address} is not right. Sign in again with the right one.`;
    case 403:
      return `The server does not let ${address} sign in. Ask whoever runs it.`;
    case 404:
      return `The server does not know ${address}. Check the address.`;
    case 429:
      return 'The server asks to wait before the next attempt. Sign in again later.';
    default:
      return `The server refused to sign ${address} in (${code} ${reason}).`;
  }
}
