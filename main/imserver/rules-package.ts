/**
 * Owns: how a user's devices read and write what he has decided about others: one document, read by SUBSCRIBE, replaced
 * by PUBLISH on the condition that it is the one that was read. Called by: notifier.ts, publish-requests.ts.
 * Calls: contact-rules-book.ts, sip/contact-rules.ts.
 */
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { NotifierSubscription } from '../sip/agent/notifier-subscription.ts';
import {
  formatContactRules,
  parseContactRules,
  RULES_EVENT,
  RULES_TYPE,
  rulesTag,
} from '../sip/contact-rules.ts';
import type { ContactRulesBook } from './contact-rules-book.ts';
import { OwnEventPackage } from './own-event-package.ts';
import type { Publish, PublishOutcome, PublishPackage } from './publish-requests.ts';

/** Unlike a presence it does not expire, and its entity-tag says what is in it. */
export class RulesPackage extends OwnEventPackage implements PublishPackage {
  readonly event = RULES_EVENT;
  readonly contentType = RULES_TYPE;
  readonly minIntervalMs: number;
  readonly #rules: ContactRulesBook;
  readonly #receiveRules: (user: string) => void;

  constructor(options: {
    rules: ContactRulesBook;
    limits: PresenceLimits;
    userOfUri: (uri: string) => string | undefined;
    receiveRules: (user: string) => void;
  }) {
    super(options.userOfUri);
    this.#rules = options.rules;
    this.#receiveRules = options.receiveRules;
    this.minIntervalMs = options.limits.watcherInfoMs;
  }

  stateFor({ subscriber }: NotifierSubscription): string {
    return formatContactRules(this.#rules.of(subscriber));
  }

  /** Rejects with ProtocolError (400, 413) or StoreError. */
  async receivePublish({ user, condition, body, expiresS }: Publish): Promise<PublishOutcome> {
    const before = formatContactRules(this.#rules.of(user));
    if (condition !== undefined && condition !== rulesTag(before)) return { kind: 'unmet' };
    if (body === undefined) return { kind: 'done', etag: rulesTag(before), expiresS };
    const rules = parseContactRules(body);
    const document = formatContactRules(rules);
    if (document !== before) {
      await this.#rules.replace(user, rules);
      this.#receiveRules(user);
      this.receiveChange(user);
    }
    return { kind: 'done', etag: rulesTag(document), expiresS };
  }
}
