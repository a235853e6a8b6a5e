/**
 * Owns: a Kamailio of Debian's as an MSRP relay (RFC 4976): its `msrp` module over TLS, with AUTH.
 * Called by: test/interop/kamailio/kamailio-relay.test.ts. Calls: kamailio.ts.
 */
import { existsSync } from 'node:fs';
import { freePort } from '../../support/free-port.ts';
import { kamailioMissing, MODULES, runKamailio } from './kamailio.ts';

/** Why it cannot be run here, or `undefined`. */
export const relayMissing: string | undefined =
  kamailioMissing ??
  (existsSync(`${MODULES}/msrp.so`)
    ? undefined
    : 'the msrp module of Kamailio is not installed: nothing is tested behind its relay');

export interface MsrpRelay extends AsyncDisposable {
  /** As one writes it into the settings. */
  readonly uri: string;
  readonly log: () => string;
}

/**
 * As its own manual sets it up: SEND is acknowledged at once. A frame for a place at this relay goes to whom the place
 * belongs; from him it goes on to the next URI.
 */
function configure(
  { realm, users }: { realm: string; users: Readonly<Record<string, string>> },
  folder: string,
  port: number,
  tlsPort: number,
): string {
  const passwords = Object.entries(users)
    .map(([user, secret]) => `  if ($au == "${user}") $var(password) = "${secret}";`)
    .join('\n');
  return `#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
tcp_accept_no_cl=yes
tcp_connection_lifetime=3600
# It acknowledges before it has passed on: without room for a file whoever reads more slowly is cut off.
tcp_conn_wq_max=8388608
tcp_wq_max=33554432
listen=udp:127.0.0.1:${port}
enable_tls=yes
listen=tls:127.0.0.1:${tlsPort}
mpath="${MODULES}/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "kex.so"
loadmodule "auth.so"
loadmodule "textops.so"
loadmodule "xlog.so"
loadmodule "tls.so"
loadmodule "cfgutils.so"
loadmodule "htable.so"
loadmodule "msrp.so"
modparam("tls", "certificate", "${folder}/cert.pem")
modparam("tls", "private_key", "${folder}/key.pem")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("auth", "qop", "auth")
modparam("htable", "htable", "places=>size=8;autoexpire=3600;")

request_route {
  sl_send_reply("403", "No SIP Here");
}

event_route[msrp:frame-in] {
  msrp_reply_flags("1");
  if (msrp_is_reply()) { msrp_relay(); exit; }
  if ($msrp(method) == "AUTH") {
    if ($msrp(nexthops) > 0) { msrp_relay(); exit; }
    $var(password) = "";
${passwords}
    if ($var(password) == "" || !pv_www_authenticate("${realm}", "$var(password)", "0", "$msrp(method)")) {
      if (auth_get_www_authenticate("${realm}", "1", "$var(wauth)")) msrp_reply("401", "Unauthorized", "$var(wauth)");
      else msrp_reply("500", "Server Error");
      exit;
    }
    $var(place) = "p+/" + $RANDOM + "-" + $RANDOM + "=";
    $sht(places=>$var(place)::address) = $msrp(srcaddr);
    $sht(places=>$var(place)::socket) = $msrp(srcsock);
    msrp_reply("200", "OK", "Use-Path: msrps://127.0.0.1:${tlsPort}/$var(place);tcp\r\nExpires: 1800\r\n");
    exit;
  }
  if ($msrp(method) == "SEND" || $msrp(method) == "REPORT") {
    $var(place) = $msrp(sessid);
    if ($sht(places=>$var(place)::address) == $null) {
      if ($msrp(method) != "REPORT") msrp_reply("481", "Session-does-not-exist");
      exit;
    }
    if ($msrp(method) != "REPORT") msrp_reply("200", "OK");
    if ($sht(places=>$var(place)::address) != $msrp(srcaddr)) {
      msrp_relay_flags("1");
      msrp_set_dst("$sht(places=>$var(place)::address)", "$sht(places=>$var(place)::socket)");
    }
    msrp_relay();
    exit;
  }
  msrp_reply("501", "Request-method-not-understood");
}
`;
}

/** Starts it; resolves when it answers. */
export async function startMsrpRelay(options: {
  readonly realm: string;
  readonly users: Readonly<Record<string, string>>;
  readonly certificate: { readonly cert: string; readonly key: string };
}): Promise<MsrpRelay> {
  const port = await freePort();
  const tlsPort = await freePort();
  const running = await runKamailio(port, options.certificate, (folder) =>
    configure(options, folder, port, tlsPort),
  );
  return { ...running, uri: `msrps://127.0.0.1:${tlsPort};tcp` };
}
