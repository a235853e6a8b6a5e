/**
 * Owns: a program that floods an engine with INVITEs over UDP and counts what it is told.
 * Called by: test/bad-days/flood.test.ts as a process of its own: PORT ADDRESS PER_SECOND SECONDS. Calls: node:dgram.
 */
import { createSocket } from 'node:dgram';

const [port = 0, , perSecond = 0, seconds = 0] = process.argv.slice(2).map(Number);
const address = process.argv[3] ?? '';
const socket = createSocket('udp4');
const counts = { sent: 0, refused: 0, refusedWithoutRetryAfter: 0 };
socket.on('message', (bytes) => {
  const text = bytes.toString('latin1');
  if (!text.startsWith('SIP/2.0 503')) return;
  counts.refused += 1;
  if (!/\r\nRetry-After: \d+\r\n/.test(text)) counts.refusedWithoutRetryAfter += 1;
});
socket.bind(0, address, () => {
  const here = `${address}:${socket.address().port}`;
  const began = Date.now();
  const timer = setInterval(() => {
    const passedS = (Date.now() - began) / 1_000;
    if (passedS >= seconds) {
      clearInterval(timer);
      setTimeout(() => {
        process.stdout.write(`${JSON.stringify(counts)}\n`);
        socket.close();
      }, 200);
      return;
    }
    for (; counts.sent < passedS * perSecond; counts.sent += 1) {
      const id = `${process.pid}-${counts.sent}`;
      socket.send(
        `INVITE sip:victim@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ${here};rport;branch=z9hG4bK${id}\r\n` +
          `From: <sip:flood@${address}>;tag=${id}\r\nTo: <sip:victim@127.0.0.1>\r\nCall-ID: ${id}\r\n` +
          `CSeq: 1 INVITE\r\nContact: <sip:flood@${here}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`,
        port,
        '127.0.0.1',
      );
    }
  }, 1);
});
