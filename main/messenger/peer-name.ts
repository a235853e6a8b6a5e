/**
 * Owns: how a person is called. Called by: messenger.ts. Calls: sip/address.ts.
 */
import type { Contact } from '../../shared/domain/conversation.ts';
import { userOf } from '../sip/address.ts';

/** The contact's name, else what the peer calls himself, else his address. */
export function nameOfPeer(contact: Contact | null, theirName: string, peerAddress: string): string {
  return contact?.displayName || theirName.slice(0, 100) || userOf(peerAddress);
}
