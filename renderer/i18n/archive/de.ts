/** Owns: the German texts about archives and passphrases. Called by: ../de.ts. Calls: nothing. */
import type { archiveEn } from './en.ts';
import type { Entry } from '../catalogue.ts';

export const archiveDe: Readonly<Record<keyof typeof archiveEn, Entry>> = {
  'export.parley': 'Archiv',
  'export.hint.parley':
    'Eine Datei mit allem, die Parley auf jedem Computer öffnet; prüfbar, und kann wieder eingelesen werden.',
  'export.protect': 'Mit einer Passphrase schützen',
  'export.protectHint': 'Ohne sie kann niemand das Archiv lesen, auch Sie nicht.',
  'passphrase.label': 'Passphrase',
  'passphrase.repeat': 'Noch einmal',
  'passphrase.differs': 'Die beiden sind nicht gleich.',
  'import.chooseArchive': 'Archiv wählen',
  'import.noArchive': 'Der Name eines Archivs endet mit .parley.',
  'job.failed.locked': 'Dieses Archiv ist geschützt. Seine Passphrase:',
  'job.failed.stillLocked': 'Das war nicht seine Passphrase, oder die Datei ist beschädigt.',
  'job.unlock': 'Einlesen',
};
