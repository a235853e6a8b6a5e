/** Owns: the German texts about looking at pictures and handing messages on. Called by: ../de.ts. Calls: nothing. */
import type { Entry } from '../catalogue.ts';
import type { sharingEn } from './en.ts';

export const sharingDe: Readonly<Record<keyof typeof sharingEn, Entry>> = {
  'picture.view': 'Groß ansehen',
  'picture.open': 'Mit einem anderen Programm öffnen',
  'picture.larger': 'Größer',
  'picture.smaller': 'Kleiner',
  'picture.actualSize': 'In eigener Größe',
  'picture.fit': 'Ganz zeigen',
  'picture.older': 'Bild davor',
  'picture.newer': 'Bild danach',
  'picture.showMessage': 'In der Unterhaltung zeigen',
  'picture.play': 'Abspielen',
  'picture.holdStill': 'Anhalten',
  'picture.tooManyBytes':
    'Dieses Bild hat {size} und ist zu groß, um hier gezeigt zu werden. Speichern Sie es, und öffnen Sie es mit einem anderen Programm.',
  'picture.tooManyPixels':
    'Dieses Bild hat {width} × {height} Bildpunkte, zu viele, um hier gezeigt zu werden. Speichern Sie es, und öffnen Sie es mit einem anderen Programm.',
  'picture.broken':
    'Dieses Bild kann nicht gezeigt werden. Es ist beschädigt oder liegt nicht mehr an seinem Platz. Versuchen Sie, es zu speichern, oder bitten Sie darum, dass es noch einmal gesendet wird.',
  'message.forward': 'Weiterleiten…',
  'forward.title': 'Weiterleiten an',
  'forward.hint': 'Es geht als Ihre eigene Nachricht hinaus. Nichts sagt, wer es geschrieben hat.',
  'forward.find': 'Unterhaltung suchen',
  'forward.none': 'Keine Unterhaltung heißt so.',
  'forward.send': 'Senden',
  'forward.messages': { one: '{count} Nachricht', other: '{count} Nachrichten' },
  'forward.sendTo': { one: 'An {count} Unterhaltung senden', other: 'An {count} Unterhaltungen senden' },
  'forward.sent': { one: 'An {count} Unterhaltung gesendet', other: 'An {count} Unterhaltungen gesendet' },
  'forward.full': 'Höchstens {count} auf einmal.',
  'forward.partly': 'Nicht alles konnte gesendet werden; unten steht, was und warum. Der Rest ist unterwegs.',
  'forward.refused': '„{what}“ wurde nicht gesendet: {reason}',
  'select.begin': 'Auswählen',
  'select.label': 'Ausgewählte Nachrichten',
  'select.choose': '{author}, {time}: {text}',
  'select.count': { one: '{count} Nachricht ausgewählt', other: '{count} Nachrichten ausgewählt' },
  'menu.markUnread': 'Als ungelesen markieren',
  'menu.markRead': 'Als gelesen markieren',
  'marks.isUnread': 'Als ungelesen markiert',
};
