/**
 * Owns: the drawings of the icons, on a grid of 24, as lists of SVG elements. Called by: Icon.svelte. Calls: nothing.
 * From Lucide (https://lucide.dev), ISC License, Copyright (c) Lucide Icons and Contributors.
 */
type Attributes = Readonly<Record<string, string | number>>;
export type IconElement = readonly [tag: 'path' | 'circle' | 'rect', attributes: Attributes];

const path = (d: string): IconElement => ['path', { d }];
const circle = (cx: number, cy: number, r: number): IconElement => ['circle', { cx, cy, r }];
const rect = (x: number, y: number, width: number, height: number, rx = 2): IconElement => [
  'rect',
  { x, y, width, height, rx },
];

export const icons = {
  search: [path('m21 21-4.34-4.34'), circle(11, 11, 8)],
  settings: [
    path(
      'M9.671 4.136a2.34 2.34 0 0 1 4.659 0 2.34 2.34 0 0 0 3.319 1.915 2.34 2.34 0 0 1 2.33 4.033 2.34 2.34 0 0 0 0 3.831 2.34 2.34 0 0 1-2.33 4.033 2.34 2.34 0 0 0-3.319 1.915 2.34 2.34 0 0 1-4.659 0 2.34 2.34 0 0 0-3.32-1.915 2.34 2.34 0 0 1-2.33-4.033 2.34 2.34 0 0 0 0-3.831A2.34 2.34 0 0 1 6.35 6.051a2.34 2.34 0 0 0 3.319-1.915',
    ),
    circle(12, 12, 3),
  ],
  'square-pen': [
    path('M12 3H5a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2v-7'),
    path(
      'M18.375 2.625a1 1 0 0 1 3 3l-9.013 9.014a2 2 0 0 1-.853.505l-2.873.84a.5.5 0 0 1-.62-.62l.84-2.873a2 2 0 0 1 .506-.852z',
    ),
  ],
  'panel-left': [rect(3, 3, 18, 18), path('M9 3v18')],
  'panel-right': [rect(3, 3, 18, 18), path('M15 3v18')],
  lock: [rect(3, 11, 18, 11), path('M7 11V7a5 5 0 0 1 10 0v4')],
  'lock-open': [rect(3, 11, 18, 11), path('M7 11V7a5 5 0 0 1 9.9-1')],
  x: [path('M18 6 6 18'), path('m6 6 12 12')],
  'arrow-left': [path('m12 19-7-7 7-7'), path('M19 12H5')],
  'arrow-right': [path('M5 12h14'), path('m12 5 7 7-7 7')],
  'arrow-up': [path('m5 12 7-7 7 7'), path('M12 19V5')],
  'arrow-down': [path('M12 5v14'), path('m19 12-7 7-7-7')],
  check: [path('M20 6 9 17l-5-5')],
  'circle-alert': [circle(12, 12, 10), path('M12 8v4'), path('M12 16h.01')],
  'rotate-cw': [path('M21 12a9 9 0 1 1-9-9c2.52 0 4.93 1 6.74 2.74L21 8'), path('M21 3v5h-5')],
  copy: [rect(8, 8, 14, 14), path('M4 16c-1.1 0-2-.9-2-2V4c0-1.1.9-2 2-2h10c1.1 0 2 .9 2 2')],
  server: [rect(2, 2, 20, 8), rect(2, 14, 20, 8), path('M6 6h.01'), path('M6 18h.01')],
  'log-in': [path('m10 17 5-5-5-5'), path('M15 12H3'), path('M15 3h4a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2h-4')],
  sparkles: [
    path(
      'M11.017 2.814a1 1 0 0 1 1.966 0l1.051 5.558a2 2 0 0 0 1.594 1.594l5.558 1.051a1 1 0 0 1 0 1.966l-5.558 1.051a2 2 0 0 0-1.594 1.594l-1.051 5.558a1 1 0 0 1-1.966 0l-1.051-5.558a2 2 0 0 0-1.594-1.594l-5.558-1.051a1 1 0 0 1 0-1.966l5.558-1.051a2 2 0 0 0 1.594-1.594z',
    ),
    path('M20 2v4'),
    path('M22 4h-4'),
    circle(4, 20, 2),
  ],
  'chevron-down': [path('m6 9 6 6 6-6')],
  'chevron-right': [path('m9 18 6-6-6-6')],
  'message-circle': [
    path(
      'M2.992 16.342a2 2 0 0 1 .094 1.167l-1.065 3.29a1 1 0 0 0 1.236 1.168l3.413-.998a2 2 0 0 1 1.099.092 10 10 0 1 0-4.777-4.719',
    ),
  ],
  unplug: [
    path('m19 5 3-3'),
    path('m2 22 3-3'),
    path('M6.3 20.3a2.4 2.4 0 0 0 3.4 0L12 18l-6-6-2.3 2.3a2.4 2.4 0 0 0 0 3.4Z'),
    path('M7.5 13.5 10 11'),
    path('M10.5 16.5 13 14'),
    path('m12 6 6 6 2.3-2.3a2.4 2.4 0 0 0 0-3.4l-2.6-2.6a2.4 2.4 0 0 0-3.400 0Z'),
  ],
  paperclip: [
    path(
      'm21.44 11.05-9.19 9.19a6 6 0 0 1-8.49-8.49l8.57-8.57A4 4 0 1 1 18 8.84l-8.59 8.57a2 2 0 0 1-2.83-2.83l8.49-8.48',
    ),
  ],
  file: [path('M15 2H6a2 2 0 0 0-2 2v16a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V7Z'), path('M14 2v4a2 2 0 0 0 2 2h4')],
  eye: [
    path(
      'M2.062 12.348a1 1 0 0 1 0-.696 10.75 10.75 0 0 1 19.876 0 1 1 0 0 1 0 .696 10.75 10.75 0 0 1-19.876 0',
    ),
    circle(12, 12, 3),
  ],
  download: [path('M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4'), path('m7 10 5 5 5-5'), path('M12 15V3')],
  'external-link': [
    path('M15 3h6v6'),
    path('M10 14 21 3'),
    path('M18 13v6a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h6'),
  ],
  forward: [path('m15 17 5-5-5-5'), path('M4 18v-2a4 4 0 0 1 4-4h12')],
  reply: [path('M20 18v-2a4 4 0 0 0-4-4H4'), path('m9 17-5-5 5-5')],
  pencil: [
    path(
      'M21.174 6.812a1 1 0 0 0-3.986-3.987L3.842 16.174a2 2 0 0 0-.500.830l-1.321 4.352a.5.5 0 0 0 .623.622l4.353-1.320a2 2 0 0 0 .830-.497z',
    ),
    path('m15 5 4 4'),
  ],
  'undo-2': [path('M9 14 4 9l5-5'), path('M4 9h10.500a5.500 5.500 0 0 1 0 11H11')],
  smile: [circle(12, 12, 10), path('M8 14s1.500 2 4 2 4-2 4-2'), path('M9 9h.010'), path('M15 9h.010')],
  pause: [rect(14, 4, 4, 16, 1), rect(6, 4, 4, 16, 1)],
  play: [path('m6 3 14 9-14 9z')],
  folder: [
    path(
      'M20 20a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2h-7.9a2 2 0 0 1-1.69-.9L9.600 3.900A2 2 0 0 0 7.930 3H4a2 2 0 0 0-2 2v13a2 2 0 0 0 2 2Z',
    ),
  ],
  calendar: [path('M8 2v4'), path('M16 2v4'), rect(3, 4, 18, 18), path('M3 10h18')],
  image: [rect(3, 3, 18, 18), circle(9, 9, 2), path('m21 15-3.086-3.086a2 2 0 0 0-2.828 0L6 21')],
  link: [
    path('M10 13a5 5 0 0 0 7.54.54l3-3a5 5 0 0 0-7.07-7.07l-1.720 1.710'),
    path('M14 11a5 5 0 0 0-7.54-.54l-3 3a5 5 0 0 0 7.070 7.070l1.710-1.710'),
  ],
  pin: [
    path('M12 17v5'),
    path(
      'M9 10.760a2 2 0 0 1-1.110 1.790l-1.780.900A2 2 0 0 0 5 15.240V16a1 1 0 0 0 1 1h12a1 1 0 0 0 1-1v-.760a2 2 0 0 0-1.110-1.790l-1.780-.900A2 2 0 0 1 15 10.760V7a1 1 0 0 1 1-1 2 2 0 0 0 0-4H8a2 2 0 0 0 0 4 1 1 0 0 1 1 1z',
    ),
  ],
  'bell-off': [
    path('M10.268 21a2 2 0 0 0 3.464 0'),
    path('M17 17H4a1 1 0 0 1-.740-1.673C4.590 13.956 6 12.499 6 8a6 6 0 0 1 .258-1.742'),
    path('m2 2 20 20'),
    path('M8.668 3.010A6 6 0 0 1 18 8c0 2.687.770 4.653 1.707 6.050'),
  ],
  ban: [circle(12, 12, 10), path('M4.929 4.929 19.07 19.071')],
  ellipsis: [circle(12, 12, 1), circle(19, 12, 1), circle(5, 12, 1)],
  trash: [
    path('M3 6h18'),
    path('M19 6v14c0 1-1 2-2 2H7c-1 0-2-1-2-2V6'),
    path('M8 6V4c0-1 1-2 2-2h4c1 0 2 1 2 2v2'),
  ],
  users: [
    path('M16 21v-2a4 4 0 0 0-4-4H6a4 4 0 0 0-4 4v2'),
    path('M16 3.128a4 4 0 0 1 0 7.744'),
    path('M22 21v-2a4 4 0 0 0-3-3.87'),
    circle(9, 7, 4),
  ],
  'user-plus': [
    path('M16 21v-2a4 4 0 0 0-4-4H6a4 4 0 0 0-4 4v2'),
    circle(9, 7, 4),
    path('M19 8v6'),
    path('M22 11h-6'),
  ],
  plus: [path('M5 12h14'), path('M12 5v14')],
  minus: [path('M5 12h14')],
} as const satisfies Record<string, readonly IconElement[]>;

export type IconName = keyof typeof icons;
