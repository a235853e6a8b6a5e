/**
 * Owns: which account and which conversation a request from the network is for, and what it is answered otherwise.
 * Called by: messenger.ts with each SIP agent. Calls: account-link.ts, inbox.ts.
 */
import { randomUUID } from 'node:crypto';
import type { Conversation, Session } from '../../shared/domain/conversation.ts';
import type { AccountId } from '../../shared/domain/ids.ts';
import type { Settings } from '../../shared/settings.ts';
import type { MessengerLimits } from '../base/limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { IncomingInvite } from '../sip/agent/invite.ts';
import { parseNameAddr, type NameAddr } from '../sip/headers.ts';
import type { Store } from '../store/store.ts';
import type { AccountLink } from './account-link.ts';
import { toAddress, userOf } from '../sip/address.ts';
import type { Feed } from './feed.ts';
import { isRoomCall, receiveRoomCall } from './groups/room-invitation.ts';
import type { Inbox } from './inbox.ts';
import type { PresenceBook } from './presence/presence-book.ts';
import { readOffer } from './file-offer.ts';
import type { Transfers } from './transfers.ts';

/** What routing needs of the messenger. */
export interface RoutingHost {
  readonly store: Store;
  readonly inbox: Inbox;
  readonly transfers: Transfers;
  readonly limits: MessengerLimits;
  readonly settings: Settings;
  readonly feed: Feed;
  readonly presence: Pick<PresenceBook, 'isBlocked'>;
  accounts(): AccountLink[];
  openSessions(): Session[];
  openConversation(accountId: AccountId, peerAddress: string, theirName: string): Promise<Conversation>;
}

/** Whom a request is for, and who sends it. */
interface Addressee {
  readonly account: AccountLink;
  readonly from: NameAddr;
  readonly peer: string;
}

/** The requests of one messenger's network. */
export class RequestRouting {
  readonly #messenger: RoutingHost;

  constructor(messenger: RoutingHost) {
    this.#messenger = messenger;
  }

  /** Answers what this agent receives outside of dialogs. */
  serve(agent: SipAgent): void {
    agent.handle('INVITE', (request) => this.#receiveInvite(request));
    agent.handle('MESSAGE', (request) => this.#receivePager(request));
    agent.handle('OPTIONS', async (request) => {
      await request.respond(200, {
        headers: { Allow: 'INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE', Accept: 'application/sdp' },
      });
    });
  }

  /** The account that a request is for, and who sends it; answered with an error when it is for nobody. */
  async #addressee(request: AgentServerRequest): Promise<Addressee | undefined> {
    const to = toAddress(parseNameAddr(request.message.headers.get('to') ?? '').uri);
    const from = parseNameAddr(request.message.headers.get('from') ?? '');
    const peer = toAddress(from.uri);
    const account = this.#messenger.accounts().find(({ stored }) => stored.address === to);
    if (account === undefined || peer === undefined) {
      // Not 404: that he is not here does not mean that he does not exist. He may just have signed out.
      await request.respond(480, { reason: 'Not signed in here' });
      return undefined;
    }
    if (!(await account.knowsServer())) {
      // Our registration is on its way: whether this is the server is known when it has answered. It tries again.
      await request.respond(480, { reason: 'Not signed in yet' });
      return undefined;
    }
    if (!account.isServer(request.source.address)) {
      await request.respond(403, { reason: 'Only by way of the IM Server' });
      return undefined;
    }
    if (this.#messenger.presence.isBlocked(account.stored.id, peer)) {
      // As if the user had said no himself: who is blocked is not told so.
      await request.respond(603);
      return undefined;
    }
    return { account, from, peer };
  }

  async #receiveInvite(request: AgentServerRequest): Promise<void> {
    const addressee = await this.#addressee(request);
    if (addressee === undefined) return;
    const { account, from, peer } = addressee;
    const messenger = this.#messenger;
    const { limits } = messenger;
    const open = messenger.openSessions();
    if (open.length >= limits.maxSessions) {
      await request.respond(486);
      return;
    }
    if (isRoomCall(request)) {
      await receiveRoomCall(messenger, account, request, { address: peer, title: from.displayName ?? '' });
      return;
    }
    const conversation = await messenger.openConversation(
      account.stored.id,
      peer,
      from.displayName ?? userOf(peer),
    );
    const contact = await messenger.store.call('selectContact', {
      accountId: account.stored.id,
      address: peer,
    });
    if (contact === null && conversation.standing === 'declined') {
      // The user has answered this already: he is not asked again and again, until he thinks better of it.
      await request.respond(603);
      return;
    }
    const known = contact !== null || conversation.standing === 'accepted';
    const invite = new IncomingInvite(account.agent, request);
    const offered = readOffer(invite.contentType, invite.sdp, limits.maxPreviewBytes);
    if (offered !== undefined) {
      await messenger.transfers.receiveInvite(conversation, invite, offered, known);
      return;
    }
    const letIn = known && messenger.settings['sessions.acceptContacts'];
    const asked = open.filter(({ state }) => state === 'asked').length;
    if (!letIn && asked >= limits.maxPendingInvitations) {
      await request.respond(486);
      return;
    }
    await account.link(conversation).receiveInvite(invite, letIn);
  }

  async #receivePager(request: AgentServerRequest): Promise<void> {
    const addressee = await this.#addressee(request);
    if (addressee === undefined) return;
    try {
      if (!(await isCopy(addressee, request))) await this.#keepPager(addressee, request);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // Not stored: 500 keeps it at the server, anything else would say that it is of no use to us.
      const status = error.code.startsWith('STORE_') ? 500 : error.answer === 415 ? 415 : 400;
      await request.respond(
        status,
        status === 415 ? { headers: { Accept: 'message/cpim, text/plain' } } : {},
      );
      return;
    }
    await request.respond(200);
  }

  async #keepPager({ account, from, peer }: Addressee, { message }: AgentServerRequest): Promise<void> {
    const conversation = await this.#messenger.openConversation(
      account.stored.id,
      peer,
      from.displayName ?? userOf(peer),
    );
    await this.#messenger.inbox.receivePagerMessage(conversation, {
      contentType: message.headers.get('content-type') ?? 'text/plain',
      body: message.body,
      fallbackId: message.headers.get('call-id') ?? randomUUID(),
      receiveOffer: async (content) => {
        const { transfers, store } = this.#messenger;
        const contact = await store.call('selectContact', { accountId: account.stored.id, address: peer });
        return transfers.told.receiveKept(
          conversation,
          content,
          contact !== null || conversation.standing === 'accepted',
        );
      },
    });
  }
}

/**
 * True: another device of our user has told us something, and it has happened here. What anybody else says of himself is
 * a message as any other: only who has our user's password may speak for him, and the server has made sure of that.
 */
async function isCopy({ account, peer }: Addressee, { message }: AgentServerRequest): Promise<boolean> {
  if (peer !== account.stored.address || !account.copies.isServed) return false;
  const isWrapped = /^\s*message\/cpim\b/i.test(message.headers.get('content-type') ?? '');
  return isWrapped && account.copies.receive(message.body);
}
