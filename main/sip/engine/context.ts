/**
 * Owns: what the parts of one engine share. Called by: the cores. Calls: nothing.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Admission } from './admission.ts';
import type { ContactBindings } from './contact-bindings.ts';
import type { ControlServer } from './control-server.ts';
import type { DeadTargets } from './dead-targets.ts';
import type { DialogTable } from './dialog-table.ts';
import type { CSeqSource } from './ids.ts';
import type { KeepAlives } from './keep-alive.ts';
import type { Resolver } from './resolver.ts';
import type { TransactionTable } from './transaction-table.ts';
import type { SipTransport } from './transport.ts';

/** The parts of one engine. */
export interface EngineContext {
  readonly clock: Clock;
  readonly log: Log;
  /** User-Agent and Server when the application gave none. */
  readonly userAgent: string | undefined;
  readonly transport: SipTransport;
  readonly transactions: TransactionTable;
  readonly dialogs: DialogTable;
  readonly control: ControlServer;
  readonly admission: Admission;
  readonly cseq: CSeqSource;
  readonly bindings: ContactBindings;
  readonly resolver: Resolver;
  /** Targets that failed lately. */
  readonly dead: DeadTargets;
  /** Peers that took no TCP for a large request. */
  readonly refusals: DeadTargets;
  readonly keepAlives: KeepAlives;
}

/** Methods of RFC 3261 and its extensions; others are answered 501 and never sent. */
export const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'ACK',
  'BYE',
  'CANCEL',
  'INFO',
  'INVITE',
  'MESSAGE',
  'NOTIFY',
  'OPTIONS',
  'PRACK',
  'PUBLISH',
  'REFER',
  'REGISTER',
  'SUBSCRIBE',
  'UPDATE',
]);
