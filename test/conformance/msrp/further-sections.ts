/**
 * Owns: the second half of the checks: end-lines, sizes, refusals, what the endpoint sends itself, the end.
 * Called by: sections.ts. Calls: link.ts.
 */
import { randomBytes } from 'node:crypto';
import type { PeerFrame } from '../../support/msrp-peer.ts';
import { CannotTell, demand, demandStatus, newId, statusOf, type Link } from './link.ts';
import type { Check, CheckContext } from './suite.ts';

const SIZE = 200 * 1024;
const BURST = 200;

/** Another letter case where it must not matter, and where it must. */
function swapCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const upper = letter.toUpperCase();
    return letter === upper ? letter.toLowerCase() : upper;
  });
}

function splitUri(uri: string): { before: string; sessionId: string; after: string } {
  const [, before = '', sessionId = '', after = ''] = /^(msrps?:\/\/[^/]+\/)([^;]+)(;.*)$/i.exec(uri) ?? [];
  return { before, sessionId, after };
}

async function whole(link: Link, body: Buffer): Promise<void> {
  const messageId = newId();
  const id = link.sendText(body, { 'Message-ID': messageId, 'Success-Report': 'yes' });
  const response = await link.responseTo(id);
  if (statusOf(response) === 413) throw new CannotTell('the endpoint does not take so much');
  demandStatus(response, 200);
  const report = await link.reportOn(messageId);
  const range = report.headers.get('Byte-Range') ?? '';
  demand(range.endsWith(`${body.length}/${body.length}`), `reported as ${range}`);
}

/** The chunks of the next message that the endpoint sends, each answered. */
async function receiveMessage({ link }: CheckContext): Promise<PeerFrame[]> {
  const chunks: PeerFrame[] = [];
  for (;;) {
    const next = await link.frame(
      'a SEND with a body',
      (frame) =>
        frame.kind === 'SEND' &&
        frame.body !== undefined &&
        [undefined, frame.headers.get('Message-ID')].includes(chunks[0]?.headers.get('Message-ID')),
    );
    link.peer.answer(next);
    chunks.push(next);
    if (next.flag === '$') return chunks;
  }
}

function ask({ askToSend }: CheckContext, bytes: number): void {
  if (askToSend === undefined) throw new CannotTell('nobody can make this endpoint send');
  askToSend(bytes);
}

export const FURTHER_SECTIONS: readonly Check[] = [
  {
    section: 'RFC 4975 §7.1',
    title: 'what looks like an end-line in a body is body: other ids, too few hyphens, no flag',
    run: async ({ link }) => {
      const id = newId();
      const body = [
        `-------${newId()}$`,
        `------${id}$`,
        `-------${id}x`,
        `-------${id.slice(0, -1)}$`,
        `-------${id}$ `,
        `-------${id}$\n`,
        '-------',
        '',
      ].join('\r\n');
      const messageId = newId();
      const size = Buffer.byteLength(body);
      link.send({
        id,
        body,
        headers: {
          'Message-ID': messageId,
          'Byte-Range': `1-${size}/${size}`,
          'Success-Report': 'yes',
          'Content-Type': 'text/plain',
        },
      });
      demandStatus(await link.responseTo(id), 200);
      const range = (await link.reportOn(messageId)).headers.get('Byte-Range') ?? '';
      demand(range.endsWith(`${size}/${size}`), `reported as ${range}`);
    },
  },
  {
    section: 'RFC 4975 §9',
    title: 'a request that comes byte by byte is the same request',
    run: async ({ link }) => {
      const id = newId();
      const text = `MSRP ${id} SEND\r\nTo-Path: ${link.target}\r\nFrom-Path: ${link.path}\r\nMessage-ID: ${newId()}\r\nByte-Range: 1-4/4\r\nContent-Type: text/plain\r\n\r\nab\r\n\r\n-------${id}$\r\n`;
      for (const byte of Buffer.from(text)) {
        link.peer.send(Buffer.of(byte));
        await new Promise((done) => setImmediate(done));
      }
      demandStatus(await link.responseTo(id), 200);
    },
  },
  {
    section: 'RFC 4975 §5.1',
    title: 'all 256 bytes, 200 KB of them in one chunk',
    run: ({ link }) => whole(link, randomBytes(SIZE)),
  },
  {
    section: 'RFC 4975 §7.2',
    title: `${BURST} requests at once are all answered, each under its own id`,
    run: async ({ link }) => {
      const ids = Array.from({ length: BURST }, (_, index) => link.sendText(`message ${index}`));
      for (const id of ids) demandStatus(await link.responseTo(id), 200);
    },
  },
  {
    section: 'RFC 4975 §9',
    title: 'unknown headers, header names in lower case and ids with . - + % = are taken',
    run: async ({ link }) => {
      const id = `a.b-c+d%e=${newId()}`.slice(0, 31);
      link.write(
        `MSRP ${id} SEND\r\nTo-Path: ${link.target}\r\nFrom-Path: ${link.path}\r\nmessage-id: ${newId()}\r\nX-Unknown: 1\r\n-------${id}$\r\n`,
      );
      demandStatus(await link.responseTo(id), 200);
    },
  },
  {
    section: 'RFC 4975 §6.1',
    title: 'scheme and host are compared without case',
    run: async ({ link }) => {
      const { before, sessionId, after } = splitUri(link.target);
      const to = `${swapCase(before)}${sessionId}${after}`;
      demandStatus(await link.request({ to, headers: { 'Message-ID': newId() } }), 200);
    },
  },
  {
    section: 'RFC 4975 §6.1',
    title: 'the session-id is compared with case: 481',
    run: async ({ link }) => {
      const { before, sessionId, after } = splitUri(link.target);
      if (swapCase(sessionId) === sessionId) throw new CannotTell('the session-id has no letters');
      const to = `${before}${swapCase(sessionId)}${after}`;
      demandStatus(await link.request({ to, headers: { 'Message-ID': newId() } }), 481);
    },
  },
  {
    section: 'RFC 4975 §10.8',
    title: 'a session that does not exist: 481, also for a message with Failure-Report partial',
    run: async ({ link }) => {
      const { before, after } = splitUri(link.target);
      const to = `${before}${newId()}${newId()}${after}`;
      demandStatus(await link.request({ to, headers: { 'Message-ID': newId() } }), 481);
      const headers = { 'Message-ID': newId(), 'Failure-Report': 'partial', 'Content-Type': 'text/plain' };
      demandStatus(await link.request({ to, headers, body: 'hello' }), 481);
    },
  },
  {
    section: 'RFC 4975 §7.1.1',
    title: 'a session that does not exist, Failure-Report no: no response',
    run: async ({ link }) => {
      const { before, after } = splitUri(link.target);
      const headers = { 'Message-ID': newId(), 'Failure-Report': 'no', 'Content-Type': 'text/plain' };
      const id = link.send({ to: `${before}${newId()}${newId()}${after}`, headers, body: 'hello' });
      await link.settle();
      demand(!link.leftOver().some((frame) => frame.id === id), 'a response that was not wanted');
    },
  },
  {
    section: 'RFC 4975 §10.9',
    title: 'an unknown method: 501',
    run: async ({ link }) => {
      demandStatus(await link.request({ method: 'CONFORMANCE', headers: { 'Message-ID': newId() } }), 501);
    },
  },
  {
    section: 'RFC 4975 §10.6',
    title: 'a type that was not announced: 415',
    run: async ({ link }) => {
      const headers = {
        'Message-ID': newId(),
        'Byte-Range': '1-1/1',
        'Content-Type': 'application/x-conformance-nobody-has-this',
      };
      const response = await link.request({ headers, body: 'x' });
      if (statusOf(response) === 200) throw new CannotTell('the endpoint accepts every type');
      demandStatus(response, 415);
    },
  },
  {
    section: 'RFC 4975 §10.2',
    title: 'a Byte-Range that is none: 400, and the connection stays',
    run: async ({ link }) => {
      const headers = { 'Message-ID': newId(), 'Byte-Range': 'five of ten', 'Content-Type': 'text/plain' };
      demandStatus(await link.request({ headers, body: 'hello' }), 400);
      await link.settle();
    },
  },
  {
    section: 'RFC 4975 §10.5, §7.3.1',
    title: 'a message of 2^50 bytes is refused with 413 (or taken, but not waited for)',
    run: async ({ link }) => {
      const messageId = newId();
      const headers = {
        'Message-ID': messageId,
        'Byte-Range': '1-*/1125899906842624',
        'Content-Type': 'text/plain',
      };
      const response = await link.request({ headers, body: 'x'.repeat(4_000), flag: '+' });
      if (statusOf(response) === 200) {
        link.send({ headers: { ...headers, 'Byte-Range': '4001-*/1125899906842624' }, body: '', flag: '#' });
        throw new CannotTell('the endpoint has no ceiling, or applies it later');
      }
      demandStatus(response, 413);
    },
  },
  {
    section: 'RFC 4975 §10.10',
    title: 'a session that is in use on another connection: 506',
    run: async ({ link, openAnother }) => {
      await using other = await openAnother();
      const response = await other.request({ to: link.target, headers: { 'Message-ID': newId() } });
      demandStatus(response, 506);
      await link.settle();
    },
  },
  {
    section: 'RFC 4975 §7.1',
    title:
      'what the endpoint sends: paths first, Content-Type last, an id of its own, one chunk for a small text',
    run: async (context) => {
      ask(context, 300);
      const [only, ...more] = await receiveMessage(context);
      demand(only !== undefined && more.length === 0, 'a text of 300 bytes in several chunks');
      const names = [...only.headers.keys()];
      demand(names[0] === 'To-Path' && names[1] === 'From-Path', `headers: ${names.join(', ')}`);
      demand(names.at(-1) === 'Content-Type', `the last header is ${names.at(-1) ?? ''}`);
      demand(only.headers.get('To-Path') === context.link.path, 'To-Path is not our path');
      demand(only.headers.get('From-Path') === context.link.target, 'From-Path is not its own path');
    },
  },
  {
    section: 'RFC 4975 §7.1.1',
    title: 'chunks over 2048 bytes are interruptible (a-*/total) and follow each other',
    run: async (context) => {
      ask(context, SIZE);
      let expected = 1;
      const chunks = await receiveMessage(context);
      for (const { headers, body, flag } of chunks) {
        const [, from = '', to = '', total = ''] =
          /^(\d+)-(\d+|\*)\/(\d+|\*)$/.exec(headers.get('Byte-Range') ?? '') ?? [];
        demand(Number(from) === expected, `Byte-Range: ${headers.get('Byte-Range') ?? ''}`);
        demand(
          (body?.length ?? 0) <= 2_048 || to === '*',
          `${body?.length ?? 0} bytes that cannot be interrupted`,
        );
        expected += body?.length ?? 0;
        demand(flag === '$' || total === '*' || expected <= Number(total), 'more than the total');
      }
    },
  },
  {
    section: 'RFC 4975 §10.5',
    title: 'a 413 stops the sender: at most what was under way still comes',
    run: async (context) => {
      const { link } = context;
      ask(context, 3 * 1024 * 1024);
      const first = await link.frame('a chunk', (frame) => frame.kind === 'SEND' && frame.body !== undefined);
      demand(first.flag === '+', 'it came in one chunk');
      link.peer.answer(first, 413, 'Stop');
      let bytes = 0;
      for (;;) {
        const settled = link.settle();
        await settled;
        const left = link.leftOver();
        for (const frame of left) if (frame.kind === 'SEND') bytes += frame.body?.length ?? 0;
        if (left.some(({ flag }) => flag === '$')) demand(false, 'the whole message came');
        if (left.length === 0) break;
      }
      demand(bytes < 3 * 1024 * 1024 - (first.body?.length ?? 0), `${bytes} bytes came after the 413`);
    },
  },
  {
    section: 'RFC 4975 §5.4',
    title: 'after our FIN the endpoint ends the connection too',
    run: async ({ link }) => {
      const id = link.sendText('the last words');
      link.peer.socket.end();
      demandStatus(await link.responseTo(id), 200);
      const late = Promise.withResolvers<'late'>();
      const timer = setTimeout(() => late.resolve('late'), link.patienceMs);
      const outcome = await Promise.race([link.peer.untilEnded(), late.promise]);
      clearTimeout(timer);
      demand(outcome !== 'late', `still open ${link.patienceMs} ms later`);
    },
  },
];
