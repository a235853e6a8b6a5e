/**
 * Owns: what a message says about another one: that it answers it, reacts to it, has another text for it, takes it back.
 * Called by: message-content.ts, delivery.ts, chat.ts. Calls: base/cpim.ts.
 *
 * Two CPIM headers of a namespace of our own, after the model of GSMA's Reference-ID and Reference-Type (RCC.07). Whoever
 * does not know them reads a text that makes sense by itself.
 */
import { cpimExtension, type CpimExtensionHeader, type CpimMessage } from '../base/cpim.ts';
import type { MessageChange, WaitingChange } from '../store/message-changes.ts';
import { MAX_EMOJI_CHARS } from '../../shared/ipc/message-change-calls.ts';

const NAMESPACE = 'urn:parley:params:reference';

/** The SDP attribute of a side that follows references: it need not be told in words. */
export const REFERENCES_ATTRIBUTE = 'message-references';

const TYPES = ['reply', '+reaction', '-reaction', 'edit', 'delete'] as const;
type ReferenceType = (typeof TYPES)[number];

/** `id`: of the other message, as in `imdn.Message-ID`. */
export interface MessageReference {
  readonly type: ReferenceType;
  readonly id: string;
}

export function referenceHeaders({ type, id }: MessageReference): CpimExtensionHeader[] {
  return [
    { namespace: NAMESPACE, name: 'Reference-ID', value: id },
    { namespace: NAMESPACE, name: 'Reference-Type', value: type },
  ];
}

/** Undefined: it stands for itself, or refers in a way that nobody has told us. */
export function readReference(message: Pick<CpimMessage, 'extensions'>): MessageReference | undefined {
  const id = cpimExtension(message, NAMESPACE, 'Reference-ID');
  const named = cpimExtension(message, NAMESPACE, 'Reference-Type')?.toLowerCase();
  const type = TYPES.find((known) => known === named);
  return id === undefined || id === '' || type === undefined ? undefined : { type, id };
}

/** What a reference does to its message; undefined: nothing that can be done, so it is a text as any other. */
export function changeOf({ type }: MessageReference, text: string): MessageChange | undefined {
  switch (type) {
    case '+reaction': {
      const emoji = text.trim();
      return emoji === '' || emoji.length > MAX_EMOJI_CHARS ? undefined : { kind: 'reaction', emoji };
    }
    case '-reaction':
      return { kind: 'no-reaction' };
    case 'edit':
      return text === '' ? undefined : { kind: 'edit', text };
    case 'delete':
      return { kind: 'takeBack' };
    case 'reply':
      return undefined;
  }
}

/** A change as it goes out: its reference, and its text for those who do not know references. */
export function changeInWords({ change, targetWireId }: Pick<WaitingChange, 'change' | 'targetWireId'>): {
  readonly reference: MessageReference;
  readonly text: string;
} {
  const about = (type: ReferenceType, text: string) => ({ reference: { type, id: targetWireId }, text });
  switch (change.kind) {
    case 'reaction':
      return about('+reaction', change.emoji);
    case 'no-reaction':
      return about('-reaction', '(My reaction is taken back.)');
    case 'edit':
      return about('edit', change.text);
    case 'takeBack':
      return about('delete', '(I have taken a message back.)');
  }
}

const QUOTED_LINES = 3;

/** An answer for somebody who does not know references: below what it answers. */
export function withQuote(quoted: string, text: string): string {
  if (quoted === '') return text;
  const lines = quoted.split('\n').slice(0, QUOTED_LINES);
  return `${lines.map((line) => `> ${line}`).join('\n')}\n\n${text}`;
}
