/**
 * Owns: who may import whom (the table of ARCHITECTURE.md). Called by: check.mjs. Calls: dependency-cruiser.
 */
'use strict';

/** @param {string[]} layers */
const anyOf = (...layers) => `^(${layers.join('|')})`;

/** What a layer may import besides itself; whatever is not named here is forbidden. */
const LAYERS = [
  ['shared/', ['shared/']],
  ['main/base/', ['main/base/', 'shared/']],
  ['main/sip/', ['main/sip/', 'main/base/', 'shared/']],
  ['main/msrp/', ['main/msrp/', 'main/base/', 'shared/']],
  ['main/store/', ['main/store/', 'main/base/', 'shared/']],
  ['main/imserver/', ['main/imserver/', 'main/sip/', 'main/msrp/', 'main/store/', 'main/base/', 'shared/']],
  ['main/messenger/', ['main/messenger/', 'main/sip/', 'main/msrp/', 'main/store/', 'main/base/', 'shared/']],
  ['main/', ['main/', 'shared/', 'package\\.json$']],
  ['renderer/', ['renderer/', 'shared/']],
  ['renderer/components/', ['renderer/components/']],
  ['renderer/api/', ['renderer/api/', 'shared/']],
  ['renderer/i18n/', ['renderer/i18n/', 'shared/']],
  ['renderer/state/', ['renderer/state/', 'renderer/api/', 'renderer/i18n/', 'shared/']],
];

/** Code of these packages is loaded in these files only; types may be imported anywhere in the layer. */
const PACKAGES = [
  ['electron', 'main/hosts/electron/'],
  ['better-sqlite3-multiple-ciphers', 'main/store/database\\.ts$'],
  ['drachtio-srf', 'main/sip/agent/drachtio\\.ts$'],
  ['pg', 'main/store/postgres/'],
  ['ws', 'main/hosts/(browser/|headless/ipc-client\\.ts$)'],
];

const SOCKET_FILES = [
  'main/sip/engine/(transport|udp-socket|stream-flows|stream-listener|stream-dialer|tls-identity|stun|dns-client|local-addresses|control-server)\\.ts$',
  'main/sip/(agent/agent|reach-probe)\\.ts$',
  'main/msrp/(connection|listener|dialer|tls-context|tls-client)\\.ts$',
  'main/hosts/single-instance\\.ts$',
  'main/hosts/headless/capture\\.ts$',
  'main/hosts/browser/',
];

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(electron|svelte)(/|$)' },
    },
    ...LAYERS.map(([layer, allowed]) => ({
      name: `layer-${layer.replaceAll('/', '-')}`.replace(/-$/, ''),
      severity: 'error',
      from: { path: `^${layer}` },
      to: { path: '^(shared|main|renderer|test|build|package\\.json)', pathNot: anyOf(...allowed) },
    })),
    {
      name: 'agent-and-engine-apart',
      comment: 'They talk over the control connection.',
      severity: 'error',
      from: { path: '^main/sip/agent/' },
      to: { path: '^main/sip/engine/' },
    },
    {
      name: 'engine-and-agent-apart',
      severity: 'error',
      from: { path: '^main/sip/engine/' },
      to: { path: '^main/sip/agent/' },
    },
    {
      name: 'shared-runs-anywhere',
      severity: 'error',
      from: { path: '^(shared|renderer)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'shared-packages',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: 'node_modules/', pathNot: 'node_modules/valibot/' },
    },
    {
      name: 'renderer-packages',
      severity: 'error',
      from: { path: '^renderer/' },
      to: { path: 'node_modules/', pathNot: 'node_modules/(svelte|valibot)/' },
    },
    ...PACKAGES.map(([name, files]) => ({
      name: `package-${name}`,
      severity: 'error',
      from: { path: '^(shared|main|renderer)/', pathNot: `^${files}` },
      to: { path: `(^|node_modules/)${name}(/|$)`, dependencyTypesNot: ['type-only'] },
    })),
    {
      name: 'sockets-in-their-files',
      severity: 'error',
      from: { path: '^(shared|main|renderer)/', pathNot: anyOf(...SOCKET_FILES) },
      to: { path: '^(node:)?(net|tls|dgram)$', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(out|dist|test/\\.artifacts)/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.svelte', '.json'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
