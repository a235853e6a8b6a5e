/** Owns: the English texts about looking at pictures and handing messages on. Called by: ../en.ts. Calls: nothing. */
export const sharingEn = {
  'picture.view': 'View it large',
  'picture.open': 'Open with another program',
  'picture.larger': 'Larger',
  'picture.smaller': 'Smaller',
  'picture.actualSize': 'In its own size',
  'picture.fit': 'All of it',
  'picture.older': 'Picture before',
  'picture.newer': 'Picture after',
  'picture.showMessage': 'Show it in the conversation',
  'picture.play': 'Play',
  'picture.holdStill': 'Hold still',
  'picture.tooManyBytes':
    'This picture has {size} and is too large to be shown here. Save it, and open it with another program.',
  'picture.tooManyPixels':
    'This picture has {width} × {height} pixels, too many to be shown here. Save it, and open it with another program.',
  'picture.broken':
    'This picture cannot be shown. It is damaged, or no longer in its place. Try to save it, or ask for it to be sent again.',
  'message.forward': 'Forward…',
  'forward.title': 'Forward to',
  'forward.hint': 'It goes out as a message of your own. Nothing says who wrote it.',
  'forward.find': 'Find a conversation',
  'forward.none': 'No conversation has this name.',
  'forward.noFiles': 'A group takes no files',
  'forward.send': 'Send',
  'forward.messages': { one: '{count} message', other: '{count} messages' },
  'forward.sendTo': { one: 'Send to {count} conversation', other: 'Send to {count} conversations' },
  'forward.sent': { one: 'Sent to {count} conversation', other: 'Sent to {count} conversations' },
  'forward.full': 'At most {count} at once.',
  'forward.partly': 'Not everything could be sent; below it says what, and why. The rest is on its way.',
  'forward.refused': '“{what}” was not sent: {reason}',
} as const;
