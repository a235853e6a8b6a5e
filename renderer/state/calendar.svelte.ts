/**
 * Owns: the calendar of a conversation: which month it shows, which of its days have messages.
 * Called by: app, thread views. Calls: the client.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Client } from '../api/client.ts';

const dayMs = 86_400_000;

/** Days of the local calendar from 1970-01-01. */
export function dayOf(ms: number): number {
  const date = new Date(ms);
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / dayMs;
}

/** Midnight of that day in UTC: what dates without a time are formatted from. */
export function utcOf(day: number): number {
  return day * dayMs;
}

/** Months from January 1970. */
export function monthOf(day: number): number {
  const date = new Date(day * dayMs);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

export function firstDayOf(month: number): number {
  return Date.UTC(1970, month, 1) / dayMs;
}

/** The same day of another month, or its last one. */
export function dayInMonth(day: number, month: number): number {
  const nth = new Date(day * dayMs).getUTCDate() - 1;
  return Math.min(firstDayOf(month) + nth, firstDayOf(month + 1) - 1);
}

export class Calendar {
  readonly #client: Client;
  conversationId = $state<ConversationId | null>(null);
  /** The day that has the focus; its month is the one that is shown. */
  day = $state(0);
  /** Messages by day. */
  counts = $state.raw<ReadonlyMap<number, number>>(new Map());
  /** Of the first and of the last message. */
  firstDay = $state(0);
  lastDay = $state(0);
  problem = $state.raw<unknown>(null);
  readonly month = $derived(monthOf(this.day));
  #readMonth: number | null = null;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Opens at the day of a time; without one where the conversation ends. */
  async open(conversationId: ConversationId, atMs: number | undefined): Promise<void> {
    this.counts = new Map();
    this.#readMonth = null;
    this.problem = null;
    try {
      const { firstSentAtMs, lastSentAtMs } = await this.#client.call('browse.figures', { conversationId });
      const nowMs = Date.now();
      this.firstDay = dayOf(firstSentAtMs ?? nowMs);
      this.lastDay = Math.max(this.firstDay, dayOf(lastSentAtMs ?? nowMs));
      this.conversationId = conversationId;
      this.focus(dayOf(atMs ?? lastSentAtMs ?? nowMs));
    } catch (error) {
      this.conversationId = conversationId;
      this.problem = error;
    }
  }

  close(): void {
    this.conversationId = null;
  }

  /** Moves to a day between the first and the last one, and its month. */
  focus(day: number): void {
    this.day = Math.min(this.lastDay, Math.max(this.firstDay, day));
    if (this.month !== this.#readMonth) void this.#read(this.month);
  }

  async #read(month: number): Promise<void> {
    const conversationId = this.conversationId;
    if (conversationId === null) return;
    this.#readMonth = month;
    const [fromDay, toDay] = [firstDayOf(month), firstDayOf(month + 1) - 1];
    try {
      const days = await this.#client.call('browse.days', { conversationId, fromDay, toDay });
      if (this.month === month && this.conversationId === conversationId) {
        this.counts = new Map(days.map(({ day, count }) => [day, count]));
        this.problem = null;
      }
    } catch (error) {
      this.problem = error;
    }
  }
}
