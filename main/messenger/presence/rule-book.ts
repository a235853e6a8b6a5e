/**
 * Owns: what our user has decided about people at one account: here at once and on disk, at the server for all of his
 * devices. Called by: account-presence.ts. Calls: sip/contact-rules.ts, sip/agent/subscription.ts.
 */
import * as v from 'valibot';
import { contactRuleSchema, type ContactRule } from '../../../shared/domain/presence.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { PresenceLimits } from '../../base/presence-limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { AgentResponse } from '../../sip/agent/agent-request.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import { newCallIdentity, sendAuthenticated } from '../../sip/agent/authenticated-request.ts';
import { EngineError } from '../../sip/agent/outgoing.ts';
import {
  Subscription,
  type NotifiedState,
  type SubscriptionRoute,
  type SubscriptionStatus,
} from '../../sip/agent/subscription.ts';
import {
  formatContactRules,
  parseContactRules,
  RULES_EVENT,
  RULES_TYPE,
  rulesTag,
  type ContactRules,
} from '../../sip/contact-rules.ts';

export interface RuleBookOptions {
  readonly agent: SipAgent;
  /** As `keep` got them the last time. */
  readonly kept: string | undefined;
  /** Puts them on disk. Rejects with StoreError. */
  readonly keep: (text: string) => Promise<void>;
  /** URI of the account. */
  readonly resource: string;
  readonly route: () => SubscriptionRoute | undefined;
  readonly limits: PresenceLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly receiveChange: () => void;
}

const NO_RULE: ContactRule = { presence: 'ask', blocked: false };
/** The server cannot take what we have written, however often it is asked. */
const USELESS = new Set([400, 401, 403, 404, 405, 413, 415, 489, 501]);

/** As it lies on disk; `unsent`: what the server does not know yet. */
const storedSchema = v.object({
  rules: v.record(v.string(), contactRuleSchema),
  unsent: v.array(v.string()),
});

/** The rules of one account. The server's word counts, except about whom we have something newer to say. */
export class RuleBook {
  readonly #options: RuleBookOptions;
  readonly #subscription: Subscription;
  #rules = new Map<string, ContactRule>();
  readonly #unsent = new Set<string>();
  /** What the server has, by its entity-tag; undefined: it has not said yet. */
  #there: { readonly tag: string; readonly rules: ContactRules } | undefined;
  #at: 'server' | 'device' | null = null;
  #isWriting = false;
  #retry: Timer | undefined;
  #failures = 0;

  constructor(options: RuleBookOptions) {
    this.#options = options;
    const { agent, resource, route, clock, log } = options;
    if (options.kept !== undefined) this.#read(options.kept);
    this.#subscription = new Subscription({
      ...{ agent, resource, route, clock, log },
      event: RULES_EVENT,
      accept: RULES_TYPE,
      receiveState: (state) => {
        this.#receiveState(state);
      },
      receiveStatus: (status) => {
        this.#receiveStatus(status);
      },
    });
  }

  /** Where they hold; null: the server has not said whether it keeps them. */
  get at(): 'server' | 'device' | null {
    return this.#at;
  }

  get rules(): ContactRules {
    return this.#rules;
  }

  rule(address: string): ContactRule {
    return this.#rules.get(address) ?? NO_RULE;
  }

  start(): void {
    this.#failures = 0;
    this.#subscription.start();
  }

  stop(): void {
    this.#retry?.[Symbol.dispose]();
    this.#retry = undefined;
    this.#there = undefined;
    this.#subscription.drop();
  }

  /** Holds at once. Resolves when it is on disk; rejects with CallError `too-many` or StoreError. */
  async set(address: string, change: Partial<ContactRule>): Promise<void> {
    const before = this.rule(address);
    const rule = { ...before, ...change };
    if (rule.presence === before.presence && rule.blocked === before.blocked) return;
    if (!this.#rules.has(address) && this.#rules.size >= this.#options.limits.maxRules) {
      throw new CallError(
        'too-many',
        'You have decided about too many people. Take somebody off the list first.',
      );
    }
    this.#put(address, rule);
    this.#unsent.add(address);
    this.#options.receiveChange();
    await this.#keep();
    this.#failures = 0;
    this.#write();
  }

  #read(text: string): void {
    const parsed = v.safeParse(storedSchema, parseJson(text));
    if (!parsed.success) {
      this.#options.log.warn('rules.not-read');
      return;
    }
    this.#rules = new Map(Object.entries(parsed.output.rules));
    for (const address of parsed.output.unsent) this.#unsent.add(address);
  }

  #put(address: string, rule: ContactRule): void {
    if (rule.presence === 'ask' && !rule.blocked) this.#rules.delete(address);
    else this.#rules.set(address, rule);
  }

  #receiveStatus(status: SubscriptionStatus): void {
    if (status.status === 'refused') this.#settle('device');
    else if (status.status === 'active') this.#settle('server');
  }

  #settle(at: 'server' | 'device'): void {
    if (this.#at === at) return;
    this.#at = at;
    this.#options.receiveChange();
  }

  #receiveState({ contentType, body }: NotifiedState): void {
    if (!contentType.toLowerCase().startsWith(RULES_TYPE)) return;
    try {
      this.#there = { tag: rulesTag(body), rules: parseContactRules(body) };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.log.warn('rules.not-read', { code: error.code });
      return;
    }
    this.#merge();
    this.#write();
  }

  /** The server's rules, and over them what it does not know yet. */
  #merge(): void {
    if (this.#there === undefined) return;
    const ours = this.#rules;
    this.#rules = new Map(this.#there.rules);
    for (const address of this.#unsent) this.#put(address, ours.get(address) ?? NO_RULE);
    if (formatContactRules(ours) === formatContactRules(this.#rules)) return;
    this.#options.receiveChange();
    this.#keep().catch((error: unknown) => {
      this.#options.log.error('rules.not-stored', { error });
    });
  }

  #write(): void {
    if (this.#isWriting || this.#unsent.size === 0 || this.#there === undefined) return;
    this.#retry?.[Symbol.dispose]();
    this.#isWriting = true;
    void this.#sendRules(this.#there.tag)
      .finally(() => {
        this.#isWriting = false;
      })
      .then((more) => {
        if (more) this.#write();
      });
  }

  /** True: there may be something more to write. */
  async #sendRules(tag: string): Promise<boolean> {
    const sent = new Map(this.#rules);
    const document = formatContactRules(sent);
    const about = [...this.#unsent];
    const response = await this.#send(tag, document);
    if (response === undefined) return false;
    const { status, message } = response;
    if (status >= 200 && status < 300) {
      this.#failures = 0;
      this.#there = { tag: message.headers.get('sip-etag') ?? rulesTag(document), rules: sent };
      const isSame = (address: string): boolean => {
        const [now, then] = [this.rule(address), sent.get(address) ?? NO_RULE];
        return now.presence === then.presence && now.blocked === then.blocked;
      };
      for (const address of about) if (isSame(address)) this.#unsent.delete(address);
      await this.#keep();
      return true;
    }
    if (status === 412) {
      // Another device was faster: what it has written is read first.
      this.#there = undefined;
      this.#subscription.start();
    } else if (USELESS.has(status)) this.#options.log.warn('rules.refused', { status });
    else this.#writeLater();
    return false;
  }

  async #send(tag: string, document: string): Promise<AgentResponse | undefined> {
    const { agent, resource, route, log } = this.#options;
    const way = route();
    if (way === undefined) return undefined;
    try {
      return await sendAuthenticated(
        agent,
        {
          method: 'PUBLISH',
          uri: resource,
          from: way.from,
          to: `<${resource}>`,
          ...way.way,
          digest: way.digest,
          headers: { Event: RULES_EVENT, 'SIP-If-Match': tag, 'Content-Type': RULES_TYPE },
          body: document,
        },
        newCallIdentity(),
      );
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      log.info('rules.not-sent', { error });
      this.#writeLater();
      return undefined;
    }
  }

  #writeLater(): void {
    const { limits, clock } = this.#options;
    const waitMs = Math.min(limits.rulesRetryFirstMs * 2 ** this.#failures, limits.rulesRetryMaxMs);
    this.#failures += 1;
    this.#retry?.[Symbol.dispose]();
    this.#retry = clock.startTimer(waitMs, () => {
      this.#write();
    });
  }

  #keep(): Promise<void> {
    const value = { rules: Object.fromEntries(this.#rules), unsent: [...this.#unsent] };
    return this.#options.keep(JSON.stringify(value));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
