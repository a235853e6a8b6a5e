/** Owns: the English texts about archives and passphrases. Called by: ../en.ts. Calls: nothing. */
export const archiveEn = {
  'export.parley': 'Archive',
  'export.hint.parley':
    'One file with everything, which Parley opens on any computer; checkable, and can be taken in again.',
  'export.protect': 'Protect it with a passphrase',
  'export.protectHint': 'Nobody can read the archive without it, neither can you.',
  'passphrase.label': 'Passphrase',
  'passphrase.repeat': 'Once more',
  'passphrase.differs': 'The two are not the same.',
  'import.chooseArchive': 'Choose an archive',
  'import.noArchive': 'The name of an archive ends with .parley.',
  'job.failed.locked': 'This archive is protected. Its passphrase:',
  'job.failed.stillLocked': 'That was not its passphrase, or the file is damaged.',
  'job.unlock': 'Take it in',
} as const;
