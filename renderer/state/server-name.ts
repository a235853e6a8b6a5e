/** Owns: what a server is called in front of people. Called by: views, server-setup. Calls: nothing. */
import type { Account } from '../../shared/domain/account.ts';

/** `sip:192.0.2.1:5060;transport=tcp` → `192.0.2.1:5060`: what goes into "Server". UDP has to be asked for. */
export function serverName(uri: string): string {
  if (/^sips:|;transport=(?!tcp\b)/i.test(uri)) return uri;
  return uri.replace(/^sip:/i, '').replace(/;.*$/, '');
}

/** The server of an account: as it was given, else the domain of the address. */
export function serverOf({ address, server }: Account): string {
  return server === '' ? address.slice(address.lastIndexOf('@') + 1) : serverName(server);
}
