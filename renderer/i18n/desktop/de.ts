/** Owns: the German texts about the desktop and the inspector's files. Called by: ../de.ts. Calls: nothing. */
export const desktopDe = {
  'settings.notifications': 'Mitteilungen',
  'settings.notificationsShow': 'Neue Nachrichten melden',
  'settings.notificationsText': 'Zeigen, wer was geschrieben hat',
  'settings.notificationsAsk': 'In diesem Browser erlauben',
  'settings.notificationsAskHint': 'Der Browser fragt einmal nach.',
  'settings.notificationsBlocked':
    'Der Browser lässt für diese Seite keine Mitteilungen zu. Seine eigenen Einstellungen können das ändern.',
  'settings.desktop': 'Schreibtisch',
  'settings.tray': 'Weiterlaufen, wenn das Fenster geschlossen wird',
  'settings.trayHint': 'Ein Symbol im Infobereich öffnet das Fenster und beendet Parley.',
  'settings.startAtLogin': 'Bei der Anmeldung an diesem Computer starten',
  'settings.shortcut': 'Tasten, die das Fenster von überall öffnen',
  'settings.shortcutHint': 'Etwa Control+Alt+P; leer: keine.',
  'notice.new': 'Neue Nachricht',
  'notice.many': { one: '{count} neue Nachricht', other: '{count} neue Nachrichten' },
  'inspector.exportText': 'Als Text',
  'inspector.exportPcap': 'Für Wireshark',
  'inspector.filter': 'Nachrichten filtern',
  'inspector.filterNone': 'Keine Nachricht enthält das.',
  'settings.report': 'Bericht für Helfer',
  'settings.reportHint':
    'Versionen, Einstellungen, das Protokoll und die letzten Nachrichten auf der Leitung, ohne Passwörter und Texte. Lesen Sie ihn, bevor Sie ihn weitergeben.',
  'settings.reportSave': 'Speichern',
} as const;
