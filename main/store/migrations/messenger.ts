/**
 * Owns: the list of schema changes of a messenger's store, oldest first. Called by: database.ts. Calls: nothing.
 * A change that has shipped is never edited: add the next number.
 */
import { initialMigration } from './0001-initial.ts';
import { searchMigration } from './0002-search.ts';
import { accountTransportMigration } from './0003-account-transport.ts';
import { transfersMigration } from './0004-transfers.ts';
import { searchWordsMigration } from './0005-search-words.ts';
import { mediaWaysMigration } from './0006-media-ways.ts';
import { compactMigration } from './0007-compact.ts';
import { retentionMigration } from './0008-retention.ts';
import { headersMigration } from './0009-headers.ts';
import { groupsMigration } from './0010-groups.ts';
import { leanIndexMigration } from './0011-lean-index.ts';
import { messageChangesMigration } from './0012-message-changes.ts';
import { deviceCopiesMigration } from './0013-device-copies.ts';
import { indexPiecesMigration } from './0014-index-pieces.ts';
import { messageStatesMigration } from './0015-message-states.ts';
import type { Migration } from '../database.ts';

export const messengerMigrations: readonly Migration[] = [
  initialMigration,
  searchMigration,
  accountTransportMigration,
  transfersMigration,
  searchWordsMigration,
  mediaWaysMigration,
  compactMigration,
  retentionMigration,
  headersMigration,
  groupsMigration,
  leanIndexMigration,
  messageChangesMigration,
  deviceCopiesMigration,
  indexPiecesMigration,
  messageStatesMigration,
];
