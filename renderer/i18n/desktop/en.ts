/** Owns: the English texts about the desktop and the inspector's files. Called by: ../en.ts. Calls: nothing. */
export const desktopEn = {
  'settings.notifications': 'Notifications',
  'settings.notificationsShow': 'Announce new messages',
  'settings.notificationsText': 'Show who has written and what',
  'settings.notificationsAsk': 'Allow in this browser',
  'settings.notificationsAskHint': 'The browser asks you once.',
  'settings.notificationsBlocked':
    'The browser does not allow announcements for this page. Its own settings can change that.',
  'settings.desktop': 'Desktop',
  'settings.tray': 'Keep running when the window is closed',
  'settings.trayHint': 'An icon in the notification area opens the window and ends Parley.',
  'settings.startAtLogin': 'Start when you sign in to this computer',
  'settings.shortcut': 'Keys that open the window from anywhere',
  'settings.shortcutHint': 'Such as Control+Alt+P; empty: none.',
  'notice.new': 'New message',
  'notice.many': { one: '{count} new message', other: '{count} new messages' },
  'inspector.exportText': 'As text',
  'inspector.exportPcap': 'For Wireshark',
  'inspector.filter': 'Filter messages',
  'inspector.filterNone': 'No message has this in it.',
  'settings.report': 'Report for whoever helps you',
  'settings.reportHint':
    'Versions, settings, the log and the last messages on the wire, without passwords and texts. Read it before you send it.',
  'settings.reportSave': 'Save',
} as const;
