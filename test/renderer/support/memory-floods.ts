/** Owns: which messages of a world are shown when floods are collapsed. Called by: memory-backend. Calls: nothing. */
import { floodOf, isBehind, runsOf, type Flood } from '../../../shared/domain/flood.ts';
import type { Message } from '../../../shared/domain/message.ts';
import type { CheckedInput } from '../../../shared/ipc/contract.ts';
import type { World } from './memory-backend.ts';

/** The messages that pages are cut from, and all floods among them: more than the store tells, which tells of a page's. */
export function withoutFloods(
  { messages }: World,
  { conversationId, floods: known, around, reveal }: CheckedInput<'message.list'>,
): { messages: Message[]; floods: Flood[] } {
  const all = messages.filter((message) => message.conversationId === conversationId);
  if (known === undefined) return { messages: all, floods: [] };
  const floods = runsOf(all).flatMap((run): Flood[] => {
    const flood = floodOf(run);
    if (flood === undefined) return [];
    const isWanted = reveal === true && around !== undefined && isBehind(flood, around);
    return [{ ...flood, open: isWanted || known.some(({ first, open }) => first === flood.first && open) }];
  });
  return {
    messages: all.filter(({ position }) => !floods.some((flood) => isBehind(flood, position))),
    floods,
  };
}
