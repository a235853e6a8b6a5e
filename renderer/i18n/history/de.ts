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

  'export.title': 'Zum Mitnehmen',
  'export.everything': 'Alles exportieren',
  'export.conversation': 'Diese Unterhaltung exportieren',
  'export.format': 'Format des Exports',
  'export.html': 'Seiten',
  'export.jsonl': 'JSON Lines',
  'export.text': 'Text',
  'export.hint.html': 'Für jeden Browser, mit Bildern und Dateien; ohne Netz zu lesen und zu durchsuchen.',
  'export.hint.jsonl':
    'Alles, was aufbewahrt wird; überprüfbar, und hier oder anderswo wieder zu übernehmen.',
  'export.hint.text': 'Eine Textdatei für jede Unterhaltung.',
  'export.start': 'Exportieren',
  'import.title': 'Verlauf übernehmen',
  'import.hint': 'Der Ordner eines Exports in JSON Lines. Was schon da ist, bleibt, wie es ist.',
  'import.choose': 'Ordner wählen',
  'import.noManifest': 'In diesem Ordner fehlt manifest.json: Er ist kein Export von Parley.',
  'job.handingIn': 'Der Ordner wird gelesen… {done} von {total}',
  'job.exporting': {
    one: 'Export… {done} von {count} Nachricht',
    other: 'Export… {done} von {count} Nachrichten',
  },
  'job.importing': { one: 'Übernahme… {count} Nachricht', other: 'Übernahme… {count} Nachrichten' },
  'job.exported': {
    one: '{count} Nachricht wurde nach {path} geschrieben',
    other: '{count} Nachrichten wurden nach {path} geschrieben',
  },
  'job.imported': {
    one: '{count} Nachricht war neu, {known} waren schon bekannt.',
    other: '{count} Nachrichten waren neu, {known} waren schon bekannt.',
  },
  'job.stoppedExport': 'Der Export wurde angehalten. Was geschrieben ist, liegt in {path}',
  'job.stoppedImport':
    'Die Übernahme wurde angehalten. Was gelesen ist, ist da; sie kann jederzeit wiederholt werden.',
  'job.failed.disk-full': 'Die Festplatte ist voll. Schaffen Sie Platz, dann geht es weiter.',
  'job.failed.not-written': 'Der Ordner kann nicht benutzt werden ({detail}). Wählen Sie einen anderen.',
  'job.failed.not-an-export': 'Das ist kein vollständiger Export: {detail}',
  'job.failed.internal': 'Es ging nicht ({detail}). Das Protokoll im Profilordner sagt mehr.',
  'job.stop': 'Anhalten',
  'job.copyPath': 'Pfad kopieren',
  'job.progress': 'Fortschritt',
  'list.otherAccounts': 'Von Konten, die nicht hier sind',
  'thread.noAccount':
    'Das Konto dieser Unterhaltung ist nicht hier. Sie können sie lesen und durchsuchen, aber nicht schreiben.',
};
