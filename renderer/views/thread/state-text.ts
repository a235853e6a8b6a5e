/** Owns: the words for the state of an outgoing message. Called by: bubble, conversation list. Calls: i18n. */
import type { MessageState } from '../../../shared/domain/message.ts';
import type { Locale } from '../../i18n/locale.svelte.ts';

/** Empty for incoming messages: they have no state to show. */
export function stateText(state: MessageState, name: string, locale: Locale): string {
  switch (state) {
    case 'received':
    case 'read':
      return '';
    case 'waiting':
      return locale.t('state.waiting', { name });
    case 'queued':
    case 'sent':
    case 'delivered':
    case 'displayed':
    case 'failed':
      return locale.t(`state.${state}`);
  }
}
