/**
 * Owns: the rules of RFC 4975 that a peer can see, each as a check. They run in this order on one session.
 * Called by: suite.ts. Calls: link.ts.
 */
import { demand, demandStatus, newId, type Link } from './link.ts';
import { FURTHER_SECTIONS } from './further-sections.ts';
import type { Check, CheckContext } from './suite.ts';

/** A chunk of a message of plain text. */
function chunk(
  link: Link,
  part: {
    messageId: string;
    range: string;
    body: string | Buffer;
    flag?: '$' | '+' | '#';
    headers?: Record<string, string>;
  },
): string {
  return link.send({
    headers: {
      'Message-ID': part.messageId,
      'Byte-Range': part.range,
      ...part.headers,
      'Content-Type': 'text/plain',
    },
    body: part.body,
    ...(part.flag === undefined ? {} : { flag: part.flag }),
  });
}

const REPORTED = { 'Success-Report': 'yes' };

/** The bytes that success reports on a message name, until they add up to `size`: one for each chunk, or one for all. */
async function reportedBytes(link: Link, messageId: string, size: number): Promise<number> {
  const covered = new Set<number>();
  for (;;) {
    const report = await link.reportOn(messageId);
    const status = report.headers.get('Status') ?? '';
    demand(/^000 200\b/.test(status), `Status: ${status}`);
    const [, from = '', to = ''] = /^(\d+)-(\d+)\//.exec(report.headers.get('Byte-Range') ?? '') ?? [];
    demand(from !== '', `Byte-Range: ${report.headers.get('Byte-Range') ?? 'none'}`);
    for (let at = Number(from); at <= Number(to); at++) covered.add(at);
    if (covered.size >= size) return covered.size;
  }
}

/** Sends chunks in the given order and waits until all of the message is reported. */
async function deliver(
  { link }: CheckContext,
  text: string,
  cuts: readonly (readonly [from: number, to: number])[],
  range: (from: number, to: number) => string,
): Promise<void> {
  const messageId = newId();
  for (const [from, to] of cuts) {
    const id = chunk(link, {
      messageId,
      range: range(from, to),
      body: text.slice(from - 1, to),
      flag: to === text.length ? '$' : '+',
      headers: REPORTED,
    });
    demandStatus(await link.responseTo(id), 200);
  }
  const bytes = await reportedBytes(link, messageId, text.length);
  demand(bytes === text.length, `${bytes} of ${text.length} bytes reported`);
}

const TEXT = 'The quick brown fox jumps over the lazy dog.';

/** The first half: framing, answers, reports, chunks. */
const FIRST_SECTIONS: readonly Check[] = [
  {
    section: 'RFC 4975 §5.4',
    title: 'a bodiless SEND is answered with 200',
    run: async ({ link }) => {
      demandStatus(await link.request({ headers: { 'Message-ID': newId() } }), 200);
    },
  },
  {
    section: 'RFC 4975 §5.4',
    title: 'so is one with Byte-Range 1-0/0, as many clients send it',
    run: async ({ link }) => {
      const headers = { 'Message-ID': newId(), 'Byte-Range': '1-0/0' };
      demandStatus(await link.request({ headers }), 200);
    },
  },
  {
    section: 'RFC 4975 §7.2',
    title: 'a response names one URI in To-Path, ours, and one in From-Path; it has no body',
    run: async ({ link }) => {
      const { headers, body, flag } = await link.responseTo(link.sendText(TEXT));
      demand(headers.get('To-Path') === link.path, `To-Path: ${headers.get('To-Path') ?? ''}`);
      demand(headers.get('From-Path') === link.target, `From-Path: ${headers.get('From-Path') ?? ''}`);
      demand(body === undefined && flag === '$', 'a body, or a flag other than $');
      demand([...headers.keys()][0] === 'To-Path', 'To-Path is not the first header');
    },
  },
  {
    section: 'RFC 4975 §7.2',
    title: 'the first URI of a longer From-Path is where the response goes',
    run: async ({ link }) => {
      const hop = `msrp://hop.invalid:2855/${newId()};tcp`;
      const id = link.send({ from: `${hop} ${link.path}`, headers: { 'Message-ID': newId() } });
      const response = await link.responseTo(id);
      // A session that checks the whole path may refuse it; the answer goes to the hop all the same.
      demand(response.headers.get('To-Path') === hop, `To-Path: ${response.headers.get('To-Path') ?? ''}`);
    },
  },
  {
    section: 'RFC 4975 §7.1.1',
    title: 'a message without report headers is answered and not reported',
    run: async ({ link }) => {
      const messageId = newId();
      demandStatus(await link.responseTo(link.sendText(TEXT, { 'Message-ID': messageId })), 200);
      await link.settle();
      const reports = link.leftOver().filter((frame) => frame.headers.get('Message-ID') === messageId);
      demand(reports.length === 0, 'a REPORT that nobody asked for');
    },
  },
  ...(['yes', 'no', 'partial'] as const).flatMap((failure) =>
    (['yes', 'no'] as const).map((success): Check => ({
      section: 'RFC 4975 §7.1.1, §7.1.2',
      title: `Failure-Report ${failure}, Success-Report ${success}`,
      run: async ({ link }) => {
        const messageId = newId();
        const reports = { 'Failure-Report': failure, 'Success-Report': success };
        const id = link.sendText(TEXT, { 'Message-ID': messageId, ...reports });
        if (failure === 'yes') demandStatus(await link.responseTo(id), 200);
        if (success === 'yes') await reportedBytes(link, messageId, TEXT.length);
        await link.settle();
        const left = link.leftOver();
        demand(!left.some((frame) => frame.id === id), 'a response that was not wanted');
        demand(!left.some((frame) => frame.kind === 'REPORT'), 'a REPORT too many');
      },
    })),
  ),
  {
    section: 'RFC 4975 §7.1.2',
    title: 'a REPORT goes back the whole From-Path, has no report headers and a Status of namespace 000',
    run: async ({ link }) => {
      const messageId = newId();
      link.sendText(TEXT, { 'Message-ID': messageId, ...REPORTED });
      const { headers } = await link.reportOn(messageId);
      demand(headers.get('To-Path') === link.path, `To-Path: ${headers.get('To-Path') ?? ''}`);
      demand(headers.get('From-Path') === link.target, `From-Path: ${headers.get('From-Path') ?? ''}`);
      demand(/^000 200/.test(headers.get('Status') ?? ''), `Status: ${headers.get('Status') ?? ''}`);
      demand(headers.has('Byte-Range'), 'no Byte-Range');
      demand(!headers.has('Success-Report') && !headers.has('Failure-Report'), 'report headers in a REPORT');
    },
  },
  {
    section: 'RFC 4975 §7.1.2',
    title: 'a REPORT is never answered, one on an unknown message neither',
    run: async ({ link }) => {
      const headers = { 'Message-ID': newId(), 'Byte-Range': '1-5/5', Status: '000 200 OK' };
      const ids = [
        link.send({ method: 'REPORT', headers }),
        link.send({ method: 'REPORT', headers: { ...headers, Status: '000 413 Stop' } }),
        link.send({
          method: 'REPORT',
          headers: { ...headers, Status: '777 413 Stop', 'Failure-Report': 'yes' },
        }),
      ];
      await link.settle();
      demand(!link.leftOver().some(({ id }) => ids.includes(id)), 'a REPORT was answered');
    },
  },
  {
    section: 'RFC 4975 §5.1',
    title: 'chunks in order',
    run: (context) =>
      deliver(
        context,
        TEXT,
        [
          [1, 10],
          [11, 30],
          [31, 44],
        ],
        (from, to) => `${from}-${to}/44`,
      ),
  },
  {
    section: 'RFC 4975 §7.3.1',
    title: 'chunks in any order, the last one first',
    run: (context) =>
      deliver(
        context,
        TEXT,
        [
          [31, 44],
          [11, 30],
          [1, 10],
        ],
        (from, to) => `${from}-${to}/44`,
      ),
  },
  {
    section: 'RFC 4975 §7.1.1',
    title: 'chunks of open end (1-*/44), which may be interrupted',
    run: (context) =>
      deliver(
        context,
        TEXT,
        [
          [1, 20],
          [21, 44],
        ],
        (from) => `${from}-*/44`,
      ),
  },
  {
    section: 'RFC 4975 §7.1.1',
    title: 'chunks of unknown total (1-20/*)',
    run: (context) =>
      deliver(
        context,
        TEXT,
        [
          [1, 20],
          [21, 44],
        ],
        (from, to) => `${from}-${to}/*`,
      ),
  },
  {
    section: 'RFC 4975 §7.3.1',
    title: 'chunks that overlap',
    run: (context) =>
      deliver(
        context,
        TEXT,
        [
          [1, 25],
          [15, 35],
          [30, 44],
        ],
        (from, to) => `${from}-${to}/44`,
      ),
  },
  {
    section: 'RFC 4975 §5.1',
    title: 'two messages interleaved',
    run: async ({ link }) => {
      const [one, two] = [newId(), newId()];
      for (const [messageId, range, body, flag] of [
        [one, '1-5/10', 'aaaaa', '+'],
        [two, '1-4/8', 'bbbb', '+'],
        [one, '6-10/10', 'AAAAA', '$'],
        [two, '5-8/8', 'BBBB', '$'],
      ] as const) {
        const id = chunk(link, { messageId, range, body, flag, headers: REPORTED });
        demandStatus(await link.responseTo(id), 200);
      }
      await reportedBytes(link, one, 10);
      await reportedBytes(link, two, 8);
    },
  },
  {
    section: 'RFC 4975 §7.1.1',
    title: 'a message that is given up (#) is not reported, and the session goes on',
    run: async ({ link }) => {
      const messageId = newId();
      chunk(link, { messageId, range: '1-5/10', body: 'aaaaa', flag: '+', headers: REPORTED });
      chunk(link, { messageId, range: '6-*/10', body: 'bb', flag: '#', headers: REPORTED });
      await link.settle();
      demandStatus(await link.responseTo(link.sendText(TEXT)), 200);
      const whole = link
        .leftOver()
        .some((frame) => frame.kind === 'REPORT' && /-10\/10$/.test(frame.headers.get('Byte-Range') ?? ''));
      demand(!whole, 'it was reported as whole');
    },
  },
  {
    section: 'RFC 4975 §9',
    title: 'an empty body is a message, with a Content-Type',
    run: async ({ link }) => {
      const headers = { 'Message-ID': newId(), 'Byte-Range': '1-0/0', 'Content-Type': 'text/plain' };
      demandStatus(await link.request({ headers, body: '' }), 200);
    },
  },
];

/** What cannot be had in the middle of a session, or ends it, comes last. */
export const SECTIONS: readonly Check[] = [...FIRST_SECTIONS, ...FURTHER_SECTIONS];
