import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTranscripts } from '../../support/transcript.ts';
import { replayTranscript } from '../../support/transcript-replay.ts';

/** Recordings of a real drachtio server, beside the checkout. */
const FOLDER = join(import.meta.dirname, '../../../../shared/drachtio/transcripts');

interface Difference {
  /** Numbers of the recordings. */
  readonly files: readonly string[];
  readonly what: RegExp;
  readonly why: string;
}

/**
 * Everything in which the engine differs from the recorded server on purpose. What is not listed fails, and so does an
 * entry that no longer matches in one of its files. Not compared at all: how often a message is repeated and when
 * (timers.test.ts has RFC 3261's times; the recorded server's T1 is 1 s), the version, times, generated values.
 */
const DELIBERATE: readonly Difference[] = [
  // The control protocol.
  {
    files: ['02'],
    what: /^to [cd]: response .*NO not authenticated$/,
    why: 'Authentication is enforced: nothing works before it.',
  },
  {
    files: ['02'],
    what: /^(?:[cd]: -> connection still open \| closed|h: -> connection closed by server \| open)$/,
    why: 'The same, and a length of six digits is a length.',
  },
  { files: ['02'], what: /^extra to h: response OK pong$/, why: 'A length of six digits is a length.' },
  {
    files: ['32'],
    what: /^extra to (?:app: response OK (?:application MESSAGE|pong)|peer: MESSAGE)$/,
    why: 'A frame of 13 000 bytes is sent; the recorded server lost the connection.',
  },
  {
    files: ['23'],
    what: /MESSAGE$|503 to OPTIONS/,
    why: 'remove_route takes away its own verb, not all of them.',
  },
  // What the engine fills in.
  {
    files: ['03', '07', '27', '30', '32', '36', '41'],
    what: /: to: (?:<?sips?:[^|]*) \| <sips?:/,
    why: 'RFC 3261 §20.10: a URI with parameters goes into angle brackets, in every To that the engine writes.',
  },
  {
    files: ['03'],
    what: /^missing to peer: OPTIONS$|^to app: response OPTIONS: token [5-8]: |^missing to app: sip 200 to OPTIONS$/,
    why: 'RFC 3261 §8.1.2: the Route that an application gives is followed, not dropped; this one leads to nobody.',
  },
  {
    files: ['03'],
    what: /: from: .* \| <sip:0\.0\.0\.0:0>|: -via$/,
    why: 'The echo of a request that was never sent names no address of ours; its made-up answer has no Via.',
  },
  {
    files: ['03', '27', '41'],
    what: /: \+warning$/,
    why: 'A made-up answer says in words what happened (RFC 3261 §20.43).',
  },
  {
    files: ['03'],
    what: /sips?:|416 to OPTIONS|requested protocol\/transport|503 to OPTIONS$/,
    why: 'The engine speaks TLS: sips: and transport=tls are tried, and answered 503 when nobody is there.',
  },
  {
    files: ['03'],
    what: /OPTIONS: \+route$/,
    why: 'RFC 3261 §8.1.2: a route set that the application has preloaded is sent.',
  },
  {
    files: ['36'],
    what: /^to app: response OPTIONS: |^missing to app: sip 503 to OPTIONS$/,
    why: 'The name localhost resolves.',
  },
  {
    files: ['18', '31'],
    what: /: \+(?:x-a|x-after|contact)$/,
    why: 'A header that cannot be read is left out; those behind it are not lost. @localhost is replaced in dialogs too.',
  },
  {
    files: ['18', '35'],
    what: /UPDATE: \+contact$/,
    why: 'RFC 3311 §5.1, §5.2: UPDATE and its 2xx refresh the target and carry a Contact.',
  },
  {
    files: ['35'],
    what: /UPDATE: (?:\+content-type|token 11: )/,
    why: 'A body has its Content-Type (RFC 3261 §20.15), and an answer in a dialog its id.',
  },
  {
    files: ['31'],
    what: /start line: SIP\/2\.0 500 Internal Server Error \| SIP\/2\.0 500 Server Internal Error$/,
    why: 'RFC 3261 §21.5.1 has the words.',
  },
  {
    files: ['39'],
    what: /^to peer: 400 to [?A-Z]+: start line: /,
    why: 'The words of a 400 say what is missing.',
  },
  // INVITE.
  {
    files: ['06'],
    what: /ACK/,
    why: 'RFC 3261 §13.2.2.4: each 2xx to INVITE makes a dialog and takes an ACK, 204 as well.',
  },
  {
    files: ['28'],
    what: /^extra to peer: (?:ACK|BYE)$/,
    why: 'RFC 3261 §13.2.2.4: a second fork gets an ACK with its own tag and a BYE.',
  },
  {
    files: ['44'],
    what: /^extra to app: sip network 487 to INVITE$/,
    why: 'RFC 3261 §9.1: a CANCEL without final response ends the INVITE after 64*T1; the application is told.',
  },
  {
    files: ['45'],
    what: /^extra to peer: 500 to INVITE$/,
    why: 'A caller whose INVITE the application does not answer is not left waiting.',
  },
  {
    files: ['20'],
    what: /^to app: sip CANCEL: token 9/,
    why: 'A response that was refused has not answered: the CANCEL has no dialog yet.',
  },
  // Inside dialogs.
  {
    files: ['34'],
    what: /INVITE$|^missing to app: sip ACK$/,
    why: 'RFC 3261 §14.2: a re-INVITE while ours is pending gets 491 by the engine; its ACK is not shown.',
  },
  {
    files: ['40'],
    what: /INFO|transport for response/,
    why: 'RFC 3261 §12: INFO in an early dialog belongs to it, and the application answers.',
  },
  {
    files: ['40'],
    what: /BYE$|INVITE$|CANCEL$/,
    why: 'RFC 3261 §15.1.2: BYE in an early dialog gets 200 and ends the INVITE with 487, shown as a CANCEL.',
  },
  {
    files: ['17'],
    what: /NOTIFY|unknown transaction/,
    why: 'RFC 6665 §4.1.3: the last NOTIFY gets the answer of the application; then the dialog ends.',
  },
  {
    files: ['29', '46'],
    what: /200 to INVITE: \+require$/,
    why: 'RFC 4028 §9: a 2xx with refresher=uac requires timer.',
  },
  {
    files: ['29'],
    what: /INVITE: \+supported$/,
    why: 'RFC 4028 §7.1: a refresh says that the extension is supported.',
  },
  {
    files: ['29'],
    what: /^missing to app: sip ACK$/,
    why: 'RFC 3261 §17.2.1: the ACK for a 422 ends at the transaction.',
  },
  {
    files: ['29'],
    what: /^extra to (?:app: sip application BYE|peer: BYE)$/,
    why: 'RFC 4028 §10: a refused refresh does not stop the timer; the session expires.',
  },
  // Methods, applications that leave.
  {
    files: ['09'],
    what: /^extra to peer: (?:503 to REFER|501 to FROB)$/,
    why: 'RFC 3261 §8.2: every request is answered.',
  },
  {
    files: ['24'],
    what: /^extra to peer: (?:CANCEL|ACK|BYE)$/,
    why: 'RFC 3261 §13.2.2.4: calls of an application that is gone are cancelled, or acknowledged and hung up.',
  },
  // Left out.
  { files: ['21'], what: /./, why: 'The proxy frame is answered NOK: neither agent nor IM Server proxies.' },
  { files: ['25'], what: /cdr:/, why: 'There are no cdr events.' },
  { files: ['37'], what: /./, why: 'There is no routing over HTTP, and there are no tags.' },
];

const transcripts = readTranscripts(FOLDER);
if (transcripts.size === 0) {
  process.stdout.write(`skipped: recordings of a drachtio server are not there (${FOLDER})\n`);
}

describe.skipIf(transcripts.size === 0)('the recordings of a real drachtio server, played again', () => {
  it.each([...transcripts.keys()])('%s: nothing differs that is not listed', async (name) => {
    const number = name.slice(0, 2);
    const differences = await replayTranscript(transcripts.get(name) ?? []);
    const listed = DELIBERATE.filter(({ files }) => files.includes(number));
    expect(differences.filter((text) => !listed.some(({ what }) => what.test(text)))).toEqual([]);
    const stale = listed.filter(({ what }) => !differences.some((text) => what.test(text)));
    expect(stale.map(({ what }) => String(what))).toEqual([]);
  });

  it('every listed difference names a recording that there is', () => {
    const numbers = new Set([...transcripts.keys()].map((name) => name.slice(0, 2)));
    expect(DELIBERATE.flatMap(({ files }) => files).filter((number) => !numbers.has(number))).toEqual([]);
  });
});
