/** Owns: the German texts about the history. Called by: ../de.ts. Calls: nothing. */
import type { historyEn } from './en.ts';
import type { Entry } from '../catalogue.ts';

export const historyDe: Readonly<Record<keyof typeof historyEn, Entry>> = {
  'browse.calendar': 'Zu einem Datum',
  'browse.previousMonth': 'Voriger Monat',
  'browse.nextMonth': 'Nächster Monat',
  'browse.year': 'Jahr',
  'browse.dayWith': { one: '{day}, {count} Nachricht', other: '{day}, {count} Nachrichten' },
  'browse.dayWithout': '{day}, keine Nachrichten',
  'browse.noDays': 'In diesem Monat gibt es keine Nachrichten.',
  'browse.firstUnread': 'Zur ersten ungelesenen Nachricht',
  'browse.unread': 'Erste ungelesene',

  'details.title': 'Einzelheiten',
  'details.open': 'Einzelheiten dieser Unterhaltung',
  'details.figures': 'In Zahlen',
  'details.messages': { one: '{count} Nachricht', other: '{count} Nachrichten' },
  'details.directions': '{incoming} empfangen, {outgoing} gesendet',
  'details.files': { one: '{count} Datei, {size}', other: '{count} Dateien, {size}' },
  'details.since': 'Erste Nachricht {day}',
  'details.media': 'Was geteilt wurde',
  'details.image': 'Bilder',
  'details.file': 'Dateien',
  'details.link': 'Links',
  'details.none': 'Davon gibt es noch nichts.',
  'details.more': 'Mehr zeigen',
  'details.show': 'In der Unterhaltung zeigen: {name}',
};
