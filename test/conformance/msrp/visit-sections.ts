/**
 * Owns: what an endpoint that visits has to do (RFC 4975 §5.4, §7.1, §14.1). Called by: suite.ts. Calls: link.ts.
 */
import type { PeerFrame } from '../../support/msrp-peer.ts';
import { CannotTell, demand, type Link } from './link.ts';
import type { Check } from './suite.ts';

const visits = new WeakMap<Link['peer'], PeerFrame>();

function visitOf(link: Link): PeerFrame {
  const visit = visits.get(link.peer);
  if (visit === undefined) throw new CannotTell('it never visited');
  return visit;
}

/** The rules for the first request, in the order in which they have to run. */
export const VISIT_SECTIONS: readonly Check[] = [
  {
    section: 'RFC 4975 §5.4',
    title: 'the active endpoint sends a SEND at once',
    run: async ({ link }) => {
      const frame = await link.frame('the visit', () => true);
      visits.set(link.peer, frame);
      link.peer.remotePath = frame.headers.get('From-Path') ?? '';
      link.peer.answer(frame);
      demand(frame.kind === 'SEND', `the first request is ${frame.kind}`);
    },
  },
  {
    section: 'RFC 4975 §5.4',
    title: 'its To-Path is our path',
    run: ({ link }) => {
      const to = visitOf(link).headers.get('To-Path');
      demand(to === link.path, `To-Path: ${to ?? ''}`);
      return Promise.resolve();
    },
  },
  {
    section: 'RFC 4975 §7.1',
    title: 'To-Path and From-Path come first, Content-Type last, Message-ID is there',
    run: ({ link }) => {
      const names = [...visitOf(link).headers.keys()];
      demand(names[0] === 'To-Path' && names[1] === 'From-Path', `headers: ${names.join(', ')}`);
      demand(names.includes('Message-ID'), 'no Message-ID');
      const type = names.indexOf('Content-Type');
      demand(type < 0 || type === names.length - 1, 'Content-Type is not the last header');
      return Promise.resolve();
    },
  },
  {
    section: 'RFC 4975 §7.1',
    title: 'the transaction id has 64 random bits: at least 11 characters',
    run: ({ link }) => {
      const { id } = visitOf(link);
      demand(id.length >= 11 && id.length <= 32, `transaction id ${id}`);
      return Promise.resolve();
    },
  },
  {
    section: 'RFC 4975 §14.1',
    title: 'the session-id has 80 random bits: at least 14 characters',
    run: ({ link }) => {
      const id = /\/([^/;]+);/.exec(visitOf(link).headers.get('From-Path') ?? '')?.[1] ?? '';
      demand(id.length >= 14, `session-id ${id}`);
      return Promise.resolve();
    },
  },
  {
    section: 'RFC 4975 §9',
    title: 'bodiless means: no Content-Type and no blank line',
    run: ({ link }) => {
      const { headers, body } = visitOf(link);
      if (headers.has('Content-Type')) throw new CannotTell('the first SEND has a body');
      demand(body === undefined, 'a blank line without a body');
      return Promise.resolve();
    },
  },
];
