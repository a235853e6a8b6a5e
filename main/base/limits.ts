/** Owns: every ceiling and timer on what a peer controls, with its reason; bytes and ms. Called by: everybody. Calls: nothing. */

/** SIP (RFC 3261): message sizes, transaction timers, table sizes. */
export const SIP_LIMITS = {
  /** A SIP message with its body; larger ones are answered 513. */
  maxMessageBytes: 1024 * 1024,
  /** So much of the body of a message that its head refuses (400, 513) is read past; after a longer one the stream ends. */
  maxPassedBytes: 8 * 1024 * 1024,
  /** All header lines together. */
  maxHeadBytes: 128 * 1024,
  /** The first line of a message on a stream; what has none by then is not SIP. */
  maxStartLineBytes: 16 * 1024,
  /** Header lines of one message. */
  maxHeaderLines: 512,
  /** T1: round-trip estimate (RFC 3261 §17.1.1.1). */
  t1Ms: 500,
  /** T2: the longest retransmission interval of a non-INVITE request and of a final response. */
  t2Ms: 4_000,
  /** T4: how long a message may live in the network. */
  t4Ms: 5_000,
  /** 64*T1: timers B, F, H, J, L, M. */
  transactionTimeoutMs: 32_000,
  /** Timer D: time that a client INVITE transaction absorbs repeated final responses over UDP. */
  timerDMs: 32_000,
  /** Timer C: longest wait between a provisional and a final response to INVITE (RFC 3261 §16.6). */
  timerCMs: 185_000,
  /** An inbound request that the application never answers is forgotten. */
  applicationAnswerMs: 64_000,
  /** Open transactions of each kind; one more is refused with 503. */
  maxTransactions: 20_000,
  /** Transactions of each kind that only absorb repeats: 32 s of 3 000 calls a second. Then the oldest are forgotten. */
  maxFinishedTransactions: 200_000,
  /** Beyond `maxTransactions`: for requests inside dialogs, which get through when new ones are refused. */
  maxTransactionsInDialogs: 30_000,
  /** Dialogs at once; one more is refused with 503. */
  maxDialogs: 20_000,
  /** Early dialogs of one INVITE that we sent (forks); what further forks ring is not passed up. */
  maxForks: 32,
  /** Requests of one dialog that the application has not answered yet; one more is refused with 503. */
  maxOpenRequestsPerDialog: 32,
  /** Dialogs that SUBSCRIBE or REFER made (RFC 6665); one more is refused with 503. */
  maxSubscriptions: 10_000,
  /** Reliable provisional responses of one INVITE that wait for the PRACK of the one before (RFC 3262 §3). */
  maxQueuedProvisionals: 8,
  /** The shortest session interval that we agree to (RFC 4028 §4). */
  minSessionExpiresS: 90,
  /** A subscription whose length nobody has named (RFC 6665 §4.1.2.1 leaves it to the package). */
  defaultSubscriptionS: 3_600,
  /** The longest interval of a session or a subscription that a timer is kept for. */
  maxIntervalS: 24 * 60 * 60,
  /** Retry-After of a refusal for overload: this and up to as much again, so that not all come back at once. */
  overloadRetryAfterS: 5,
  /**
   * What one address may begin: tokens a second, and saved up. An INVITE costs more than another request. A proxy with
   * 2 000 calls or 10 000 registrations a second is within it; a flood is not, and leaves room for others.
   */
  tokensPerS: 10_000,
  maxTokens: 20_000,
  inviteCost: 5,
  /** Refusals (503) that one address is sent for it; beyond that its new requests are dropped. */
  refusalsPerS: 500,
  /**
   * The event loop is looked at so often. Without an idle moment in so many looks on end, while at least so many new
   * requests arrived in about a second and many came again, it is overloaded: a growing share of what is new is
   * refused (503), from addresses that have begun more than `lightTokens` lately.
   */
  lightTokens: 250,
  loopSampleMs: 50,
  busySamples: 4,
  busyArrivals: 100,
  /** Stream connections at once, and from one address. */
  maxConnections: 4_000,
  maxConnectionsPerAddress: 200,
  /** A TCP connection on which a message was begun but not finished. */
  partialMessageMs: 10_000,
  /** A TCP connection without any traffic. */
  idleConnectionMs: 30 * 60_000,
  /** Bytes waiting in a stream that its peer does not read; then the connection is closed. */
  maxQueuedBytes: 4 * 1024 * 1024,
  /** A peer that takes nothing for this long while bytes wait for it. */
  stalledPeerMs: 32_000,
  connectTimeoutMs: 5_000,
  /** A datagram that fits into one IP packet; larger requests need a stream. */
  maxDatagramBytes: 65_507,
  /** Receive buffer asked of the system for UDP: a burst must not be lost while we are busy. */
  datagramBufferBytes: 1024 * 1024,
  /** Local addresses and bindings of contacts to connections that are remembered. */
  maxCachedRoutes: 10_000,
} as const;

/** The SIP engine's side of the network: TLS, name look-up, failover, keep-alive. */
export const SIP_NETWORK_LIMITS = {
  /** From the first byte of a TLS handshake to its end; a peer that dawdles holds a socket and nothing else. */
  tlsHandshakeMs: 5_000,
  /** A request of more bytes leaves UDP for TCP: the path MTU is unknown (RFC 3261 §18.1.1). */
  maxUdpRequestBytes: 1_300,
  /** The TCP connection that is tried only for the size of a request: behind a NAT nobody answers. */
  sizeConnectMs: 2_000,
  /** How long a peer that took no TCP for a large request is sent such requests over UDP at once. */
  sizeRefusalMs: 10 * 60_000,
  /** The next address of a name is tried beside the first after this long (RFC 8305 §5). */
  connectionAttemptDelayMs: 250,
  /** Addresses of one name that are tried. */
  maxAddresses: 8,
  /** Targets of one request, over all records of its name (RFC 3263 §4.3). */
  maxTargets: 8,
  /** A target that failed comes last for this long. */
  deadTargetMs: 30_000,
  /** The longest Retry-After that is believed about a server that answered 503. */
  maxRetryAfterMs: 10 * 60_000,
  /** Targets that are remembered as dead. */
  maxDeadTargets: 1_000,
  /** One DNS query over UDP without answer, and over TCP. */
  dnsTryMs: 1_500,
  dnsTcpMs: 4_000,
  /** No DNS server has answered: for this long nobody waits for them again. */
  dnsSilenceMs: 5_000,
  /** Tries for each DNS server. */
  dnsTries: 2,
  /** DNS servers that are asked, one after the other. */
  maxDnsServers: 3,
  /** Questions under way at once; one more waits for nobody and fails. */
  maxDnsQueries: 256,
  /** Steps from one alias to the next. */
  maxDnsAliases: 8,
  /** Records of one answer that are looked at. */
  maxDnsRecords: 64,
  /** Answers that are remembered; the oldest goes first. */
  maxDnsCache: 2_000,
  /** How long answers are remembered at least and at most, whatever their TTL says. */
  dnsMinTtlMs: 1_000,
  dnsMaxTtlMs: 60 * 60_000,
  /** The same for "there is no such name"; longer would hide a repaired zone. */
  dnsMaxNegativeMs: 60_000,
  /** What the hosts file says about names that DNS does not know. */
  hostsFileMs: 30_000,
  /**
   * Pause between two keep-alives, of which 80 to 100 % are used (RFC 5626 §4.4.1); with `keepAliveAnswerMs` a dead
   * network is noticed after at most 19 s.
   */
  keepAliveMs: 9_000,
  /** A pong that does not come (RFC 5626 §4.4.1), or a STUN answer. */
  keepAliveAnswerMs: 10_000,
  /** The same after a change of the network or a sleep: a live peer answers its ping or our REGISTER by then. */
  probeAnswerMs: 1_500,
  /** First repeat of a STUN request, doubled each time (RFC 5389 §7.2.1). */
  stunFirstRepeatMs: 500,
  /** STUN requests without any answer, until the peer counts as one that knows no STUN. */
  stunAttempts: 2,
  /** CRLFCRLF on UDP keeps a NAT's binding, no more: 24 to 29 s (RFC 5626 §4.4.1). */
  natBindingMs: 29_000,
  /** Flows that are kept alive; registrations beyond it live without. */
  maxKeptFlows: 1_000,
  /** Accounts on one flow. */
  maxAccountsPerFlow: 1_000,
} as const;

/** The control connection between engine and application (drachtio). */
export const CONTROL_LIMITS = {
  /** One frame. */
  maxFrameBytes: 4 * 1024 * 1024,
  /** A connection that has not authenticated. */
  authenticateMs: 5_000,
  maxConnections: 8,
  /** Bytes waiting for an application that does not read; then its connection is closed. */
  maxQueuedBytes: 64 * 1024 * 1024,
  /** With so much unread an application gets no new requests (503); those inside dialogs still go to it. */
  overloadedBytes: 8 * 1024 * 1024,
  /** First and longest wait before a listening application is dialled again. */
  redialFirstMs: 100,
  redialMaxMs: 2_000,
} as const;

/** MSRP (RFC 4975). */
export const MSRP_LIMITS = {
  /** Request or response line and headers of one frame. */
  maxHeadBytes: 16 * 1024,
  maxHeaderLines: 64,
  /** URIs in a To-Path or From-Path. */
  maxPathUris: 16,
  /** Body bytes of one chunk that we accept. */
  maxChunkBytes: 16 * 1024 * 1024,
  /** Body bytes of anything but SEND (RFC 4975 §7.1). */
  maxNonSendBodyBytes: 10_240,
  /** A message that is collected in memory. Larger ones get 413. */
  maxMessageBytes: 10 * 1024 * 1024,
  /** Chunks of one message, empty ones counted. */
  maxChunksPerMessage: 16_384,
  /** Chunks above that number, of a message that goes to disk, have to bring this much each on the average. */
  minStreamedChunkBytes: 256,
  /** Pieces of one message with gaps between them: what comes in any order has to close up some time. */
  maxSpansPerMessage: 8_192,
  /** Messages of one session that have begun and not ended. */
  maxOpenMessages: 32,
  /** Bytes of unfinished messages of one session together. */
  maxOpenBytes: 32 * 1024 * 1024,
  /** An unfinished message of which nothing more arrives. */
  openMessageMs: 60_000,
  /** A message that was handed up and not yet settled, per session: then the socket is paused. */
  maxUnsettledMessages: 256,
  /** Body bytes of a chunk that we send (above: interruptible chunks). */
  sendChunkBytes: 64 * 1024,
  /**
   * Unanswered bytes of a message from disk, at first, at least and at most. The window grows while so many bytes wait
   * less than `windowQueueMs` in buffers on their way, and shrinks when they wait twice as long: a small message stands
   * behind them. Over a slow way the least still has its answer within `responseMs`.
   */
  firstWindowBytes: 512 * 1024,
  minWindowBytes: 256 * 1024,
  maxWindowBytes: 4 * 1024 * 1024,
  windowQueueMs: 2,
  /** A SEND without response (RFC 4975 §7.1.1: 30 s, then as if 408). */
  responseMs: 30_000,
  /** Requests of one session that wait for their response. */
  maxPendingRequests: 1_024,
  /** Bytes waiting in a socket whose peer does not read; the sender waits. */
  socketHighWaterBytes: 256 * 1024,
  /** A peer that takes nothing for this long while we have bytes for it. */
  stalledPeerMs: 60_000,
  /** A connection that has not sent a frame that names a session. */
  firstFrameMs: 10_000,
  /** A frame that has begun and not ended. */
  partialFrameMs: 60_000,
  connectTimeoutMs: 3_000,
  /** How long the answerer waits for the answer to its visit (see the flow's rules). */
  visitTimeoutMs: 1_000,
  maxConnections: 4_000,
  maxConnectionsPerAddress: 200,
  maxSessionsPerConnection: 256,
  /** Sessions of ours that share a connection to the same authority (RFC 4975 §5.4); one that stalls holds up no more. */
  maxSharingSessions: 10,
  /** How long `close` waits for transactions in flight. */
  drainMs: 5_000,
  /** After our FIN: how long `close` waits for the peer's. */
  finWaitMs: 1_000,
  /** Characters of a transaction id and of a Message-ID (RFC 4975 §9 says 32; relays exceed it). */
  maxTransactionIdChars: 64,
  maxMessageIdChars: 256,
  /** A chunk of more body bytes has to be interruptible: `Byte-Range: 1-*` (RFC 4975 §7.1.1). */
  maxFixedRangeBytes: 2_048,
  /** Body bytes of messages that were handed up and not yet settled, per session: then the socket is paused. */
  maxUnsettledBytes: 32 * 1024 * 1024,
  /** Refused Message-IDs of a session that are remembered, so that later chunks are refused as well. */
  maxRefusedMessages: 64,
  /** Early visitors of one session while the SIP answer is open (one for each device that rings). */
  maxVisitorsPerSession: 16,
  /** After the SIP answer: how long we wait for the answerer's visit. */
  awaitVisitMs: 32_000,
  /** A frame that takes longer than `partialFrameMs` has to bring this much in each such period. */
  partialFrameMinBytes: 64 * 1024,
  /** What an SDP body says to choose a file by: a long name, its type and hashes. */
  maxFileSelectorChars: 4_096,
  /** An SDP body and its lines. */
  maxSdpBytes: 64 * 1024,
  maxSdpLines: 1_024,
} as const;

/** The MSRP ceilings as injected into the parts of an endpoint: tests use smaller ones. */
export type MsrpLimits = { readonly [K in keyof typeof MSRP_LIMITS]: number };

/** Payload formats inside messages: CPIM (RFC 3862), IMDN (RFC 5438), isComposing (RFC 3994). */
export const PAYLOAD_LIMITS = {
  /** All headers of a CPIM message. */
  maxCpimHeadBytes: 16 * 1024,
  maxCpimHeaderLines: 64,
  /** An XML payload, its elements and their nesting. */
  maxXmlBytes: 16 * 1024,
  maxXmlElements: 256,
  maxXmlDepth: 16,
} as const;

/** The messenger. */
export const MESSENGER_LIMITS = {
  /** The invited person has this long to answer; then the message is deferred. */
  ringMs: 60_000,
  /** A session without messages is ended (setting `sessions.idleMinutes`). */
  idleSessionMs: 10 * 60_000,
  /** One text message as UTF-8. Larger ones are refused before they are stored. */
  maxTextBytes: 1024 * 1024,
  /** People of one conversation who are remembered as typing. */
  maxComposing: 16,
  /** Body of a SIP MESSAGE to the absent; larger ones wait in the outbox until the person is back. */
  maxPagerBytes: 64 * 1024,
  /** First and longest wait before the outbox tries again. */
  retryFirstMs: 1_000,
  retryMaxMs: 60_000,
  /** Sessions at once, and invitations that wait for the user's answer. */
  maxSessions: 256,
  maxPendingInvitations: 64,
  /** Wire messages kept for the ladder of one session, and bytes of each. */
  ladderMessages: 400,
  ladderMessageBytes: 4_096,
  /** Of the bodies of one session: who exports them whole has this much of them. */
  ladderTextBytes: 256 * 1_024,
  /** Registration lifetime that we ask for: a server that has come back knows us again after half of it. */
  registrationExpiresS: 120,
  /** The longest `Min-Expires` of a server that we go along with. */
  registrationExpiresMaxS: 24 * 60 * 60,
  /** Back-off of RFC 5626 §4.5: while no flow works, while another one does, and the longest. */
  registrationBaseAllFailedMs: 30_000,
  registrationBaseSomeFailedMs: 90_000,
  registrationMaxMs: 1_800_000,
  /** When nobody answers at all: so long after the beginning of an outage the waits are short, first and longest. */
  registrationEarlyMs: 60_000,
  registrationRetryFirstMs: 1_000,
  registrationRetryMaxMs: 16_000,
  /** A request that overtakes the answer to our first REGISTER waits this long for it. */
  serverAnswerMs: 2_000,
  /** UDP is tried for this long after TCP and TLS have failed. */
  udpTrialMs: 3_000,
  /** A lost flow is set up anew within this time. */
  registrationLostMs: 1_000,
  /** The widest spread that a server may ask of us for the time after its restart. */
  registrationWindowMaxMs: 600_000,
  /** Everything registers anew within this time after the network has changed. */
  networkChangeMs: 500,
  /** A drachtio server that does not answer: the accounts go on without waiting for it. */
  engineConnectMs: 3_000,
  /** A connection report as a whole, and each look of it. */
  reportMs: 19_000,
  reportStepMs: 2_000,
  reportAnswerMs: 6_000,
  /** First and longest wait before the network is opened again that could not be opened. */
  networkRetryFirstMs: 1_000,
  networkRetryMaxMs: 60_000,
  /** How long we wait for the answer to our BYE, and at shutdown; longer than the server's `byeMs`. */
  byeMs: 6_000,
  shutdownByeMs: 1_500,
  /** How long an invitation that crossed ours may still be under way after ours was answered. */
  crossingMs: 1_000,
  /** Files under way at once; more wait for their turn. */
  maxTransfers: 4,
  /** Offers of files that ring for the user's answer; one more hears that we are busy. */
  maxPendingOffers: 64,
  /** A file whose size its sender does not know. */
  maxUnknownFileBytes: 4 * 1024 * 1024 * 1024,
  /** What has to stay free on the disk beside a file. */
  spareDiskBytes: 16 * 1024 * 1024,
  /** The thumbnail of a file in its offer: with everything else it stays well under a SIP message. */
  maxPreviewBytes: 24 * 1024,
  /** A file's progress is told to the window this often at most. */
  progressMs: 100,
  /** What has arrived of a file is forced to the disk this often: so much is sent again after a power cut. */
  checkpointMs: 2_000,
  /** After the last byte: how long the sender of a file has to hang up. */
  fileByeMs: 5_000,
  /** Reports to authors of messages that wait for the account to be signed in again. */
  maxKeptReports: 1_000,
  /** Text of messages that are under way together: a larger one goes alone, or later ones would overtake it. */
  maxWindowTextBytes: 32 * 1024,
  /** So long in all do texts wait for a file before them that the other side has not heard of: large ones are read first. */
  fileTellingMs: 1_000,
  /** So long does a file that could go out wait for texts before it that have not left. */
  fileBehindTextsMs: 3_000,
} as const;

/** The ceilings and timers as injected into a messenger: tests use smaller ones. */
export type MessengerLimits = { readonly [K in keyof typeof MESSENGER_LIMITS]: number };

/** The IM Server. */
export const IMSERVER_LIMITS = {
  maxUsers: 100_000,
  maxContactsPerUser: 10,
  minExpiresS: 30,
  maxExpiresS: 3_600,
  defaultExpiresS: 600,
  nonceLifeMs: 5 * 60_000,
  maxNonces: 20_000,
  /**
   * Wrong passwords for one user from one address, and for users who were never right there; then even a right one is
   * refused for as long. Whoever holds a nonce that has served him before goes on.
   */
  maxWrongPasswords: 10,
  maxWrongPasswordsPerAddress: 100,
  wrongPasswordMs: 10 * 60_000,
  /** Pairs of user and address, and addresses, of which wrong passwords are remembered. */
  maxWatchedAttempts: 20_000,
  /** Deferred messages: per recipient, of one sender for one recipient, size and age. */
  maxDeferredPerUser: 1_000,
  maxDeferredPerSender: 200,
  maxDeferredBytes: 64 * 1024,
  deferredDays: 30,
  /** Those whose time is over are looked for so often. */
  deferredSweepMs: 10 * 60_000,
  maxSessions: 5_000,
  maxSessionsPerUser: 64,
  /** REGISTERs in a second that come by a new way; one more is asked to come later. Refreshes are not counted. */
  registersPerS: 100,
  /** The earliest and the latest that it is asked to come, drawn by lot. */
  comeAgainMinS: 2,
  comeAgainMaxS: 20,
  /** A leg that rings. */
  ringMs: 60_000,
  /** A leg that does not answer its BYE; then the other side is answered anyway. */
  byeMs: 5_000,
  /** A session waits this long for the older messages of its two people to be delivered. */
  holdMs: 5_000,
  /** A device that is there and did not take what waits for it is asked again: first and longest wait. */
  redeliverFirstMs: 5_000,
  redeliverMaxMs: 60_000,
  /** Registrations that have ended are noticed after this long at the latest. */
  expirySweepMs: 2_000,
  /** Users who were removed or disabled are noticed after this long at the latest. */
  userSweepMs: 15_000,
  /** What a caller hears while no new sessions are taken. */
  drainRetryAfterS: 30,
  /** What others hear while nothing can be stored. */
  storeRetryAfterS: 10,
  /** Connections of whoever runs the server, and one question of his. */
  maxControlConnections: 32,
  controlRequestMs: 10_000,
  /** Both legs of a session are asked this often whether they are still there. */
  auditMs: 15 * 60_000,
} as const;

/** The ceilings and timers as injected into an IM Server: tests use smaller ones. */
export type ImServerLimits = { readonly [K in keyof typeof IMSERVER_LIMITS]: number };

/** The MSRP relay of the IM Server (RFC 4976). */
export const RELAY_LIMITS = {
  /** Many people may be behind one address. */
  maxConnections: 8_000,
  maxConnectionsPerAddress: 1_000,
  /** TLS handshakes under way at once, and with one address: an office comes back together. */
  maxHandshakes: 512,
  maxHandshakesPerAddress: 256,
  /** Places (Use-Paths) at once, and of one user. */
  maxPlaces: 20_000,
  maxPlacesPerUser: 32,
  defaultExpiresS: 1_800,
  minExpiresS: 60,
  maxExpiresS: 2 * 60 * 60,
  /** AUTHs of one connection that are being looked at; one more is refused. */
  maxOpenAuths: 4,
  /** Ways of sessions over one connection, one for each direction; one more is refused with 403. */
  maxStreamsPerConnection: 1_024,
  /** Connections that the sessions of one place have made the relay open. */
  maxNextHopsPerPlace: 32,
  /** A chunk is passed on in pieces as it comes: it is never in memory as a whole. */
  maxChunkBytes: 1024 ** 4,
  /** Bytes of one way that wait for a slow reader: more than the window of a file (`maxWindowBytes`). */
  maxQueuedBytes: 6 * 1024 * 1024,
  /** Of all ways together; above it each may only have the least. */
  maxTotalQueuedBytes: 512 * 1024 * 1024,
  minQueuedBytes: 256 * 1024,
  /** A connection that nobody else uses is not read for so long when its reader is slow; then chunks are refused. */
  heldMs: 20_000,
  /** A chunk whose Byte-Range has an end is passed on whole up to this size (RFC 4975 §7.1.1 says 2048). */
  maxFixedChunkBytes: 64 * 1024,
  /** What has come of a chunk waits so long for the rest of it. */
  flushMs: 40,
  /** Requests of one way that the next hop has not answered. */
  maxAwaited: 1_024,
  /** Messages of one way that have failed: what still comes of them is refused. */
  maxFailedMessages: 64,
  /** A way that nothing takes is forgotten; who has gone is noticed as often. */
  streamIdleMs: 10 * 60_000,
  sweepMs: 15_000,
} as const;

/** The ceilings and timers as injected into a relay: tests use smaller ones. */
export type RelayLimits = { readonly [K in keyof typeof RELAY_LIMITS]: number };

/** IPC between window and main process. */
export const IPC_LIMITS = {
  maxRequestBytes: 4 * 1024 * 1024,
  maxPendingCalls: 256,
  /** Events kept for a subscriber that reconnects. */
  feedBacklog: 1_000,
  maxSubscribers: 16,
  /** Files that windows hand in at once; one of which nothing comes for this long is given up. */
  maxHandedIn: 8,
  handInStallMs: 30_000,
  /** A picture that was pasted: it crosses from the window in one piece. */
  maxHandedInMemoryBytes: 64 * 1024 * 1024,
  /** Files of an export that a window without dialogs hands in to be taken in. */
  maxStagedFiles: 20_000,
  /** How often a window hears how far an export or import is. */
  jobProgressMs: 200,
  /** Bytes waiting in a WebSocket whose reader is slow; then it is closed and has to resynchronise. */
  maxQueuedBytes: 8 * 1024 * 1024,
} as const;

/** What a window is told and asked before its history is open. */
export const OPENING_LIMITS = {
  /** How often it hears how far it is. */
  progressMs: 200,
  /** Wrong passphrases without a pause; then one that doubles with each. */
  freeAttempts: 3,
  firstPauseMs: 2_000,
  longestPauseMs: 60_000,
  /** Archives that are read at once: each has a thread, and in a browser a port. */
  maxReaders: 8,
  /** A reader in the browser whose last window has gone: it may be loading anew. */
  readerIdleMs: 15_000,
  /** Accounts and servers come up so long after a window was given its list, which is painted by then; and without one. */
  startAfterListMs: 200,
  startWithoutWindowMs: 1_500,
} as const;
