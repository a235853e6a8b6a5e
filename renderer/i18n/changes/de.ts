/** Owns: the German texts about answers, reactions and changed messages. Called by: ../de.ts. Calls: nothing. */
import type { Entry } from '../catalogue.ts';
import type { changesEn } from './en.ts';

export const changesDe: Readonly<Record<keyof typeof changesEn, Entry>> = {
  'message.reply': 'Antworten',
  'message.edit': 'Bearbeiten',
  'message.takeBack': 'Für alle löschen',
  'message.takeBackReally': 'Wirklich für alle löschen?',
  'message.react': 'Mit {emoji} reagieren',
  'message.moreReactions': 'Weitere Reaktionen',
  'message.edited': 'bearbeitet',
  'message.takenBackByUs': 'Sie haben diese Nachricht gelöscht',
  'message.takenBack': 'Diese Nachricht wurde gelöscht',
  'quote.show': 'Die Nachricht zeigen, auf die das antwortet',
  'quote.gone': 'Die Nachricht ist nicht mehr hier',
  'reaction.line': '{emoji}: {names}',
  'reaction.ours': 'Sie',
  'composer.replyTo': 'Antwort an {name}',
  'composer.replyToUs': 'Antwort auf Ihre eigene Nachricht',
  'composer.editing': 'Nachricht bearbeiten',
  'composer.stopReply': 'Doch nicht antworten',
  'composer.stopEditing': 'Doch nicht bearbeiten',
  'composer.save': 'Speichern',
  'composer.members': 'Mitglieder',
  'composer.notChanged': 'Nicht geändert: {reason}',
};
