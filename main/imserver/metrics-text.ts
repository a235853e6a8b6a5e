/**
 * Owns: the page that Prometheus reads: which figures there are and what they are called. Called by: control-server.ts.
 * Calls: metrics.ts.
 */
import { formatMetric } from './metrics.ts';
import type { ImServer } from './imserver.ts';

/** Rejects with StoreError when the store does not answer. */
export async function metricsText(server: ImServer): Promise<string> {
  const { metrics, registrar, presence, relay, passwords } = server;
  const waiting = await server.deferredCount();
  const lines = [
    ...formatMetric(
      'imserver_sessions',
      'gauge',
      'Sessions that are open or being set up.',
      server.sessionCount,
    ),
    ...formatMetric(
      'imserver_sessions_started_total',
      'counter',
      'Sessions that came about.',
      metrics.sessionsStarted,
    ),
    ...formatMetric(
      'imserver_sessions_refused_total',
      'counter',
      'Invitations that did not become a session.',
      metrics.sessionsRefused,
    ),
    ...formatMetric(
      'imserver_users_online',
      'gauge',
      'Users with at least one device.',
      registrar.usersOnline().length,
    ),
    ...formatMetric('imserver_registrations', 'gauge', 'Contacts of devices.', registrar.bindingCount),
    ...formatMetric(
      'imserver_subscriptions',
      'gauge',
      'Subscriptions to events (RFC 6665).',
      presence.notifier.count,
    ),
    ...formatMetric(
      'imserver_publications',
      'gauge',
      'What devices have published of themselves (RFC 3903).',
      presence.publications.count,
    ),
    ...formatMetric('imserver_messages_total', 'counter', 'SIP MESSAGEs by what became of them.', [
      `imserver_messages_total{outcome="delivered"} ${metrics.messages.delivered}`,
      `imserver_messages_total{outcome="deferred"} ${metrics.messages.deferred}`,
      `imserver_messages_total{outcome="refused"} ${metrics.messages.refused}`,
    ]),
    ...formatMetric(
      'imserver_deferred_messages',
      'gauge',
      'Messages that wait for their recipients.',
      waiting,
    ),
    ...formatMetric(
      'imserver_wrong_passwords_total',
      'counter',
      'Credentials that were not right.',
      passwords.stats.wrong,
    ),
    ...formatMetric(
      'imserver_locked_attempts_total',
      'counter',
      'Credentials that were not looked at.',
      passwords.stats.locked,
    ),
    ...formatMetric(
      'imserver_request_seconds',
      'histogram',
      'From a SIP request to its being dealt with.',
      metrics.requestLines('imserver_request_seconds'),
    ),
    ...formatMetric(
      'imserver_session_setup_seconds',
      'histogram',
      'From an INVITE to the answer, ringing included.',
      metrics.setup.lines('imserver_session_setup_seconds'),
    ),
    ...(relay === undefined ? [] : relayLines(relay)),
    ...(server.rooms === undefined ? [] : roomLines(server.rooms)),
    ...formatMetric('imserver_draining', 'gauge', '1: no new sessions are taken.', Number(server.draining)),
    ...formatMetric('process_resident_memory_bytes', 'gauge', 'Resident memory.', process.memoryUsage.rss()),
    ...formatMetric('process_cpu_seconds_total', 'counter', 'Processor time.', cpuSeconds()),
  ];
  return `${lines.join('\n')}\n`;
}

function relayLines(relay: NonNullable<ImServer['relay']>): string[] {
  const { stats } = relay;
  return [
    ...formatMetric('imserver_relay_connections', 'gauge', 'Open MSRP connections.', relay.connectionCount),
    ...formatMetric('imserver_relay_places', 'gauge', 'Use-Paths that are given away.', relay.places.size),
    ...formatMetric('imserver_relay_streams', 'gauge', 'Directions of sessions.', relay.streamCount),
    ...formatMetric(
      'imserver_relay_queued_bytes',
      'gauge',
      'Bytes that wait for slow readers.',
      relay.queuedBytes,
    ),
    ...formatMetric(
      'imserver_relay_bytes_total',
      'counter',
      'Body bytes that were passed on.',
      stats.relayBytes,
    ),
    ...formatMetric(
      'imserver_relay_messages_total',
      'counter',
      'Messages that were passed on.',
      stats.messages,
    ),
    ...formatMetric('imserver_relay_refused_total', 'counter', 'Requests that were refused.', stats.refused),
    ...formatMetric(
      'imserver_relay_failure_reports_total',
      'counter',
      'Failures behind the relay.',
      stats.failureReports,
    ),
  ];
}

function roomLines({ rooms, metrics, participantCount }: NonNullable<ImServer['rooms']>): string[] {
  return [
    ...formatMetric('imserver_rooms', 'gauge', 'Chat rooms.', rooms.size),
    ...formatMetric('imserver_room_devices', 'gauge', 'Devices that are in rooms.', participantCount),
    ...formatMetric('imserver_room_joins_total', 'counter', 'Devices that came into a room.', metrics.joins),
    ...formatMetric(
      'imserver_room_messages_total',
      'counter',
      'What was said in rooms, by what became of it.',
      [
        `imserver_room_messages_total{outcome="stored"} ${metrics.messages}`,
        `imserver_room_messages_total{outcome="private"} ${metrics.privateMessages}`,
        `imserver_room_messages_total{outcome="known"} ${metrics.duplicates}`,
        `imserver_room_messages_total{outcome="refused"} ${metrics.refused}`,
      ],
    ),
    ...formatMetric(
      'imserver_room_deliveries_total',
      'counter',
      'Copies that have reached a device.',
      metrics.deliveries,
    ),
    ...formatMetric('imserver_room_files_total', 'counter', 'Files of rooms, by what was done with them.', [
      `imserver_room_files_total{outcome="kept"} ${metrics.files}`,
      `imserver_room_files_total{outcome="fetched"} ${metrics.filesFetched}`,
    ]),
  ];
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
