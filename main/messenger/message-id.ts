/**
 * Owns: the ids of our messages. Called by: conversation-actions.ts, delivery.ts. Calls: nothing.
 */
import { randomUUID } from 'node:crypto';
import type { MessageId } from '../../shared/domain/ids.ts';

/** 122 random bits in 32 characters: as long as a Message-ID of MSRP may be (RFC 4975 §9, `ident`). */
export function createMessageId(): MessageId {
  return randomUUID().replaceAll('-', '') as MessageId;
}
