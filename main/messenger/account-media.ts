/**
 * Owns: the way of an account's messages: its own choice, or that of the settings.
 * Called by: account-link.ts, messenger.ts. Calls: nothing.
 */
import type { AccountMediaPath, MediaPath } from '../../shared/domain/account.ts';
import type { Settings } from '../../shared/settings.ts';

/** What an account chooses for itself. Absent, `settings` and no relays: as the settings say. */
export interface AccountMedia {
  readonly mediaPath?: AccountMediaPath;
  readonly relays?: readonly string[];
}

/** What counts for an account. What a policy has locked counts for each. */
export function mediaOf(
  { mediaPath = 'settings', relays = [] }: AccountMedia,
  settings: Settings,
  isLocked: (key: 'messages.path' | 'messages.relays') => boolean,
): { readonly way: MediaPath; readonly relays: readonly string[] } {
  return {
    way: mediaPath === 'settings' || isLocked('messages.path') ? settings['messages.path'] : mediaPath,
    relays: relays.length === 0 || isLocked('messages.relays') ? settings['messages.relays'] : relays,
  };
}
