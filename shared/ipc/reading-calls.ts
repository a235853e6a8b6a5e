/**
 * Owns: which calls a window that only reads may make: nothing among them changes what it reads, or needs a network.
 * Called by: messenger/reader/reader-commands.ts. Calls: nothing.
 */
import type { CallName } from './contract.ts';

export const readingCalls = [
  'app.info',
  'opening.status',
  'opening.unlock',
  'reading.status',
  'settings.get',
  'policy.get',
  'account.list',
  'contact.list',
  'conversation.list',
  'group.list',
  'marks.list',
  'session.list',
  'message.list',
  'message.details',
  'message.save',
  'transfer.open',
  'transfer.save',
  'search.query',
  'browse.days',
  'browse.positionOfDay',
  'browse.firstUnread',
  'browse.withTrait',
  'browse.figures',
  'job.current',
  'job.export',
  'job.stop',
  'job.resume',
  'job.dismiss',
  'job.reveal',
] as const satisfies readonly CallName[];

export type ReadingCall = (typeof readingCalls)[number];
